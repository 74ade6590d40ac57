-- Takes out of a sliding window's log what was admitted at an instant; see
-- algorithm/sliding_window.rs, and log.lua for what is stored.
--
-- KEYS[1]  the bucket
-- ARGV[2]  how many entries at the most
-- ARGV[4]  the window's length in microseconds
-- ARGV[6]  the instant
--
-- Returns  as '<ddddd': now, whether anything is given back (1 or 0), how many entries are in the
--          window, the newest of them, and 0

local count, per, at = tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[6])
local stamps, len, newest = read_log(KEYS[1])
stamps, len = without_dropped(stamps, len, newest, per)
local first = log_first_after(KEYS[1], stamps, len, newest, at - 1)
local given = math.min(log_first_after(KEYS[1], stamps, len, newest, at) - first, count)
if given > 0 then
  if not stamps then
    -- The newest is the last of the list, and what is given back is not old.
    redis.call('LREM', KEYS[1], -given, struct.pack('<d', at))
  elseif given == len then
    redis.call('DEL', KEYS[1])
  else
    local left = string.sub(stamps, 1, first * 8) .. string.sub(stamps, (first + given) * 8 + 1)
    redis.call('SET', KEYS[1], left, 'KEEPTTL')
  end
  stamps, len, newest = read_log(KEYS[1])
end

local used = len - log_first_after(KEYS[1], stamps, len, newest, now - per)
return struct.pack('<ddddd', now, math.min(given, 1), used, used > 0 and newest or 0, 0)
