-- Gives back to a fixed window what was taken from it, if it is still the same window; see
-- algorithm/fixed_window.rs, and fixed_window.lua for what is stored.
--
-- KEYS[1]  the bucket
-- ARGV[2]  what was taken
-- ARGV[6]  when it was taken
--
-- Returns  now, and what is stored: start, used, 0 (0, 0, 0 for none)

local start, used = 0, 0
local stored = redis.call('GET', KEYS[1])
if stored and #stored == 12 then
  start, used = struct.unpack('<dI4', stored)
end
if used > 0 and tonumber(ARGV[6]) >= start then
  used = math.max(0, used - tonumber(ARGV[2]))
  redis.call('SET', KEYS[1], struct.pack('<dI4', start, used), 'KEEPTTL')
end
return { now, start, used, 0 }
