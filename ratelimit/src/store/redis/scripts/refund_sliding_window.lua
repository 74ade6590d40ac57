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
local head, len, slots, newest = open_ring(KEYS[1])

local first = ring_first_after(KEYS[1], head, len, slots, newest, at - 1)
local after = math.min(ring_first_after(KEYS[1], head, len, slots, newest, at), first + count)
if after > first then
  local before = string.sub(ring_bytes_from(KEYS[1], head, len, slots, 0), 1, first * STAMP)
  local rest = before .. ring_bytes_from(KEYS[1], head, len, slots, after)
  if #rest == 0 then
    redis.call('DEL', KEYS[1])
    return { now, 0, 0, 0 }
  end
  head, len, newest = 0, #rest / STAMP, (struct.unpack('<d', rest, #rest - STAMP + 1))
  write_ring(KEYS[1], rest, slots, newest)
end

local used = len - ring_first_after(KEYS[1], head, len, slots, newest, now - per)
return { now, used, used > 0 and newest or 0, 0 }
