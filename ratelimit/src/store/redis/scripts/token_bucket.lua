-- Token bucket (GCRA): the instant at which the bucket is full again, as 'microseconds.ticks' with
-- 4096 ticks to the microsecond. What it means is said in algorithm/token_bucket.rs.
--
-- ARGV[i]    what the request takes from the bucket: microseconds
-- ARGV[i+1]    and ticks
-- ARGV[i+2]  what a full bucket holds: microseconds
-- ARGV[i+3]    and ticks
--
-- Returns  whether the request fits in, how to settle it, and the instant that was stored:
--          microseconds, ticks (0, 0 for none)

local function token_bucket(key, i)
  local cost_us, cost_ticks = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
  local capacity_us, capacity_ticks = tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3])

  local stored_us, stored_ticks = 0, 0
  local stored = redis.call('GET', key)
  if stored then
    local us, ticks = string.match(stored, '^(%d+)%.(%d+)$')
    stored_us, stored_ticks = tonumber(us or 0), tonumber(ticks or 0)
  end

  local us, ticks = stored_us, stored_ticks
  if us < now then
    us, ticks = now, 0
  end

  local function exceeds_capacity(us, ticks)
    return us - now > capacity_us or (us - now == capacity_us and ticks > capacity_ticks)
  end

  local changed = false
  if exceeds_capacity(us, ticks) then
    -- Only because the clock stepped back: the bucket is empty, and no emptier.
    us, ticks = now + capacity_us, capacity_ticks
    changed = true
  end

  local next_us, next_ticks = us + cost_us, ticks + cost_ticks
  if next_ticks >= 4096 then
    next_us, next_ticks = next_us + 1, next_ticks - 4096
  end
  local fits = not exceeds_capacity(next_us, next_ticks)

  local function settle(take)
    if take and cost_us + cost_ticks > 0 then
      if fits then
        us, ticks = next_us, next_ticks
      else
        us, ticks = now + capacity_us, capacity_ticks
      end
      changed = true
    end
    if changed then
      redis.call('SET', key, string.format('%.0f.%d', us, ticks), 'PX', lifetime(us + 1 - now))
    end
  end

  return fits, settle, stored_us, stored_ticks
end
