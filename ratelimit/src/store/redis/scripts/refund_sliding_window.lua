-- Takes out of a sliding window's log what was admitted at an instant; see
-- algorithm/sliding_window.rs, and ring.lua for what is stored.
--
-- KEYS[1]  the bucket
-- ARGV[2]  how many entries at the most
-- ARGV[4]  the window's length in microseconds
-- ARGV[6]  the instant
--
-- Returns  as '<ddddd': now, whether anything is given back (1 or 0), how many entries are in the
--          window, the newest of them, and 0

local count, per, at = tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[6])
local ring = read_ring(KEYS[1])
local given = 0
local first = ring_first_after(ring, at - 1)
local after = math.min(ring_first_after(ring, at), first + count)
if after > first then
  local stamps = ring_stamps(ring)
  stamps = string.sub(stamps, 1, first * 8) .. string.sub(stamps, after * 8 + 1)
  if #stamps == 0 then
    redis.call('DEL', KEYS[1])
    return struct.pack('<ddddd', now, 1, 0, 0, 0)
  end
  local newest = struct.unpack('<d', stamps, #stamps - 7)
  write_ring(KEYS[1], stamps, '', ring.slots, newest)
  ring = read_ring(KEYS[1])
  given = 1
end

local used = ring.len - ring_first_after(ring, now - per)
return struct.pack('<ddddd', now, given, used, used > 0 and ring.newest or 0, 0)
