-- Token bucket (GCRA): the instant at which the bucket is full again, as '<dI2': microseconds, and
-- ticks, of which a microsecond has 4096. A string that is not of these 10 bytes counts as none.
-- What it means is said in algorithm/token_bucket.rs.
--
-- rule   what the request takes from the bucket, and what a full bucket holds: microseconds, ticks,
--        microseconds, ticks
-- state  the instant, or now for a bucket that is full: microseconds, ticks, 0

local function store_token_bucket(key, rule, us, ticks, kept_till)
  local value = struct.pack('<dI2', us, ticks)
  if us < kept_till then
    redis.call('SETRANGE', key, '0', value)
  else
    redis.call('SET', key, value, 'PX', lifetime(kept_after(us, rule[3])))
  end
end

-- Returns whether the request fits in, the state, the instant once the cost is taken, or all there
-- is, and until when the key is kept (0 if there is none)
local function look_at_token_bucket(key, rule)
  local us, ticks, kept_till = now, 0, 0
  local stored = redis.call('GETRANGE', key, '0', '128')
  if #stored > 128 then
    -- Of any length. To write over it would free it, which can take long: this fails with WRONGTYPE.
    redis.call('LLEN', key)
  elseif #stored == 10 then
    local stored_us, stored_ticks = struct.unpack('<dI2', stored)
    kept_till = kept_after(stored_us, rule[3])
    if stored_us >= now then
      us, ticks = stored_us, stored_ticks
    end
  end

  local empty_us, empty_ticks = now + rule[3], rule[4]
  if us > empty_us or us == empty_us and ticks > empty_ticks then
    -- Only because the clock stepped back: the bucket is empty, and no emptier.
    us, ticks = empty_us, empty_ticks
    store_token_bucket(key, rule, us, ticks, 0)
    kept_till = kept_after(us, rule[3])
  end

  local next_us, next_ticks = us + rule[1], ticks + rule[2]
  if next_ticks >= 4096 then
    next_us, next_ticks = next_us + 1, next_ticks - 4096
  end
  if next_us > empty_us or next_us == empty_us and next_ticks > empty_ticks then
    return false, us, ticks, 0, empty_us, empty_ticks, kept_till
  end
  return true, us, ticks, 0, next_us, next_ticks, kept_till
end

-- Takes the cost, or all there is, from what was seen.
local function take_from_token_bucket(key, rule, _, _, _, next_us, next_ticks, kept_till)
  if rule[1] + rule[2] > 0 then
    store_token_bucket(key, rule, next_us, next_ticks, kept_till)
  end
end
