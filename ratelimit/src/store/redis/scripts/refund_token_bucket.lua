-- Gives back to a token bucket what was taken from it, less what it has earned since; see
-- algorithm/token_bucket.rs, and token_bucket.lua for what is stored.
--
-- KEYS[1]  the bucket
-- ARGV[2]  what was taken: microseconds
-- ARGV[3]    and ticks
-- ARGV[4]  what a full bucket holds: microseconds
-- ARGV[5]    and ticks
-- ARGV[6]  when it was taken
--
-- Returns  as '<ddddd': now, whether anything is given back (1 or 0), and the instant that is stored:
--          microseconds, ticks, 0 (0, 0, 0 for none)

local credit_us, credit_ticks = tonumber(ARGV[2]), tonumber(ARGV[3])
local earned = math.max(0, now - tonumber(ARGV[6]))

local us, ticks = 0, 0
local stored = redis.call('GETRANGE', KEYS[1], '0', '10')
if #stored == 10 then
  us, ticks = struct.unpack('<dI2', stored)
end
local nothing_left = credit_us < earned or (credit_us == earned and credit_ticks == 0)
if nothing_left or not (us >= now) then
  return struct.pack('<ddddd', now, 0, us, ticks, 0)
end

local capacity_us, capacity_ticks = tonumber(ARGV[4]), tonumber(ARGV[5])
if us - now > capacity_us or (us - now == capacity_us and ticks > capacity_ticks) then
  -- Only because the clock stepped back: the bucket is empty, and no emptier.
  us, ticks = now + capacity_us, capacity_ticks
end

us, ticks = us - (credit_us - earned), ticks - credit_ticks
if ticks < 0 then
  us, ticks = us - 1, ticks + 4096
end
if us < now then
  us, ticks = now, 0
end
redis.call('SET', KEYS[1], struct.pack('<dI2', us, ticks), 'PX', lifetime(kept_after(us, capacity_us)))
return struct.pack('<ddddd', now, 1, us, ticks, 0)
