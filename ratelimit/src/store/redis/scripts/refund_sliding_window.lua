-- Takes out of a sliding window's log what was admitted at an instant; see
-- algorithm/sliding_window.rs, and ring.lua for what is stored.
--
-- KEYS[1]  the bucket
-- ARGV[2]  how many entries at the most
-- ARGV[4]  the window's length in microseconds
-- ARGV[5]  the instant
--
-- Returns  now, how many entries are in the window, the newest of them, and 0

local count, per, at = tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5])
local ring = open_ring(KEYS[1])

local first = ring.first_after(at - 1)
local after = math.min(ring.first_after(at), first + count)
if after > first then
  local rest = string.sub(ring.bytes_from(0), 1, first * 8) .. ring.bytes_from(after)
  if #rest == 0 then
    redis.call('DEL', KEYS[1])
    return { now, 0, 0, 0 }
  end
  ring.newest = (struct.unpack('<d', rest, #rest - 7))
  ring.rewrite(rest, ring.slots)
end

local used = ring.len - ring.first_after(now - per)
return { now, used, used > 0 and ring.newest or 0, 0 }
