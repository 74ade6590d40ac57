-- Token bucket (GCRA): the instant at which the bucket is full again, as 'microseconds.ticks' with
-- 4096 ticks to the microsecond. What it means is said in algorithm/token_bucket.rs.
--
-- KEYS[1]  the bucket
-- ARGV[2]  what the request takes from the bucket: microseconds
-- ARGV[3]    and ticks
-- ARGV[4]  what a full bucket holds: microseconds
-- ARGV[5]    and ticks
--
-- Returns  admitted (1 or 0), now, and the instant that was stored: microseconds, ticks (0, 0 for none)

local cost_us, cost_ticks = tonumber(ARGV[2]), tonumber(ARGV[3])
local capacity_us, capacity_ticks = tonumber(ARGV[4]), tonumber(ARGV[5])

local stored_us, stored_ticks = 0, 0
local stored = redis.call('GET', KEYS[1])
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
local admitted = not exceeds_capacity(next_us, next_ticks)
if admitted and cost_us + cost_ticks > 0 then
  us, ticks = next_us, next_ticks
  changed = true
end

if changed then
  redis.call('SET', KEYS[1], string.format('%.0f.%d', us, ticks), 'PX', lifetime(us + 1 - now))
end
return { admitted and 1 or 0, now, stored_us, stored_ticks }
