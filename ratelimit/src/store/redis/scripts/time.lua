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

-- The PX of a key that is to be kept until an instant: rounded up, and a millisecond more because
-- Redis counts expiry from the millisecond that it is in. Under another clock than the server's it is
-- a day more, since the server cannot know how fast that one goes.
local function lifetime(till)
  local slack = server_time and 1 or 86400000
  return string.format('%d', math.ceil((till - now) / 1000) + slack)
end

-- Until when a key is kept that says nothing any more from an instant on: longer by up to a window,
-- and by ten seconds at the most, so that its expiry need not be put off each time that a client
-- comes. To write over what is stored takes Redis half as long as to store it with an expiry.
--
-- Returns  that, and the first instant of which it is the same
local function kept_after(instant, window)
  local step = math.min(window, 10000000)
  local since = instant - instant % step
  return since + step, since
end
