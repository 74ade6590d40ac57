-- Fixed window: when it opened and how much of it is used, as 'microseconds used'. What it means is
-- said in algorithm/fixed_window.rs.
--
-- KEYS[1]  the bucket
-- ARGV[2]  what the request costs
-- ARGV[3]  the limit
-- ARGV[4]  the window's length in microseconds
--
-- Returns  admitted (1 or 0), now, and what was stored: start, used (0, 0 for none)

local cost, limit, per = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local stored_start, stored_used = 0, 0
local stored = redis.call('GET', KEYS[1])
if stored then
  local start, used = string.match(stored, '^(%d+) (%d+)$')
  stored_start, stored_used = tonumber(start or 0), tonumber(used or 0)
end

local start, used = stored_start, stored_used
if used == 0 or start + per <= now then
  start, used = now, 0
end

local changed = false
if start > now then
  -- Only because the clock stepped back: the window opens now, as full as it was.
  start = now
  changed = true
end

local admitted = used + cost <= limit
if admitted and cost > 0 then
  used = used + cost
  changed = true
end

if changed then
  redis.call('SET', KEYS[1], string.format('%.0f %d', start, used), 'PX', lifetime(start + per - now))
end
return { admitted and 1 or 0, now, stored_start, stored_used }
