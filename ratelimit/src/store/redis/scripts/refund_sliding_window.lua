-- Takes out of a sliding window's log what was admitted at an instant; see
-- algorithm/sliding_window.rs, and ring.lua for what is stored.
--
-- KEYS[1]  the bucket
-- ARGV[2]  how many entries at the most
-- ARGV[4]  the window's length in microseconds
-- ARGV[6]  the instant
--
-- Returns  now, how many entries are in the window, the newest of them, and 0

local count, per, at = tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[6])
local header = redis.call('GETRANGE', KEYS[1], 0, 19)
if #header < 20 then
  return { now, 0, 0, 0 }
end
local head, len, slots, newest = struct.unpack('<I4I4I4d', header)

local first = ring_first_after(KEYS[1], head, len, slots, newest, at - 1)
local after = math.min(ring_first_after(KEYS[1], head, len, slots, newest, at), first + count)
if after > first then
  local ring = redis.call('GETRANGE', KEYS[1], 20, -1)
  local live = string.sub(ring .. ring, head * 8 + 1, (head + len) * 8)
  local stamps = string.sub(live, 1, first * 8) .. string.sub(live, after * 8 + 1)
  if #stamps == 0 then
    redis.call('DEL', KEYS[1])
    return { now, 0, 0, 0 }
  end
  newest = (struct.unpack('<d', stamps, #stamps - 7))
  rewrite_ring(KEYS[1], 0, 0, slots, stamps, slots, newest)
  head, len = 0, #stamps / 8
end

local used = len - ring_first_after(KEYS[1], head, len, slots, newest, now - per)
return { now, used, used > 0 and newest or 0, 0 }
