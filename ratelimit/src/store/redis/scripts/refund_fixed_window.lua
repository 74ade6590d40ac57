-- Gives back to a fixed window what was taken from it, if it is still the same window; see
-- algorithm/fixed_window.rs, and fixed_window.lua for what is stored.
--
-- KEYS[1]  the bucket
-- ARGV[2]  what was taken
-- ARGV[6]  when it was taken
--
-- Returns  as '<ddddd': now, whether anything is given back (1 or 0), and what is stored: start, used,
--          0 (0, 0, 0 for none)

local start, used, given = 0, 0, 0
local stored = redis.call('GETRANGE', KEYS[1], '0', '12')
if #stored == 12 then
  start, used = struct.unpack('<dI4', stored)
end
if used > 0 and tonumber(ARGV[6]) >= start then
  used = math.max(0, used - tonumber(ARGV[2]))
  redis.call('SETRANGE', KEYS[1], '8', struct.pack('<I4', used))
  given = 1
end
return struct.pack('<ddddd', now, given, start, used, 0)
