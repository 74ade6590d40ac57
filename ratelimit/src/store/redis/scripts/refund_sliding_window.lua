-- Takes out of a sliding window's log what was admitted at an instant; see
-- algorithm/sliding_window.rs, and log.lua for what is stored.
--
-- KEYS[1]  the bucket
-- ARGV[2]  how many units at most
-- ARGV[3]  the limit
-- ARGV[4]  the window's length in microseconds
-- ARGV[6]  the instant
--
-- Returns  as '<ddddd': now, whether anything is given back (1 or 0), how many units are in the
--          window, the newest entry, and 0

local count, limit, per, at = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[6])
local stamps, log, newest = read_log(KEYS[1], limit)
local given
if stamps then
  local len
  stamps, len = without_dropped(stamps, log, newest, per)
  local first = log_first_after(stamps, len, newest, at - 1)
  given = math.min(log_first_after(stamps, len, newest, at) - first, count)
  if given > 0 then
    stamps = string.sub(stamps, 1, first * 8) .. string.sub(stamps, (first + given) * 8 + 1)
    if stamps == '' then
      redis.call('DEL', KEYS[1])
    else
      redis.call('SET', KEYS[1], stamps, 'KEEPTTL')
    end
  end
  log = #stamps / 8
  newest = log > 0 and log_entry(stamps, log - 1) or 0
else
  given = log.remove(at, count)
  stamps, log, newest = read_log(KEYS[1], limit)
end

local used
if stamps then
  used = log - log_first_after(stamps, log, newest, now - per)
else
  used = log.units(log.first_after(now - per))
end
return struct.pack('<ddddd', now, math.min(given, 1), used, used > 0 and newest or 0, 0)
