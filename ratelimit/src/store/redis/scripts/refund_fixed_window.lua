-- Gives back to a fixed window what was taken from it, if it is still the same window; see
-- algorithm/fixed_window.rs, and fixed_window.lua for what is stored.
--
-- KEYS[1]  the bucket
-- ARGV[2]  what was taken
-- ARGV[5]  when it was taken
--
-- Returns  now, and what is stored: start, used (0, 0 for none)

local stored = redis.call('GET', KEYS[1])
local start, used = string.match(stored or '', '^(%d+) (%d+)$')
start, used = tonumber(start or 0), tonumber(used or 0)
if used > 0 and tonumber(ARGV[5]) >= start then
  used = math.max(0, used - tonumber(ARGV[2]))
  redis.call('SET', KEYS[1], string.format('%.0f %d', start, used), 'KEEPTTL')
end
return { now, start, used }
