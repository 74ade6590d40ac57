-- Begins every script: the time, and how long a key is kept.
--
-- ARGV[1]  the time in microseconds, or '' for the server's own
--
-- All numbers are integers below 2^53, which a double holds exactly: microseconds since 1970 are
-- below 2^51 until the year 2041 and below 2^53 until 2255.

local now = tonumber(ARGV[1])
local server_time = now == nil
if server_time then
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

-- The PX of a key that says nothing any more after so many microseconds: rounded up, and a
-- millisecond more because Redis counts expiry from the millisecond that it is in. Under another
-- clock than the server's it is a day, since the server cannot know how fast that one goes.
local function lifetime(microseconds)
  if server_time then
    return string.format('%d', math.ceil(microseconds / 1000) + 1)
  end
  return '86400000'
end
