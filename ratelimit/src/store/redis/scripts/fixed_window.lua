-- Fixed window: when it opened and how much of it is used, as 'microseconds used'. What it means is
-- said in algorithm/fixed_window.rs.
--
-- ARGV[i]    what the request costs
-- ARGV[i+1]  the limit
-- ARGV[i+2]  the window's length in microseconds
--
-- Returns  whether the request fits in, how to settle it, and what was stored: start, used (0, 0
--          for none)

local function fixed_window(key, i)
  local cost, limit, per = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])

  local stored_start, stored_used = 0, 0
  local stored = redis.call('GET', key)
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

  local function settle(take)
    local taken = take and math.min(cost, limit - used) or 0
    if taken > 0 then
      used = used + taken
      changed = true
    end
    if changed then
      redis.call('SET', key, string.format('%.0f %d', start, used), 'PX', lifetime(start + per - now))
    end
  end

  return used + cost <= limit, settle, stored_start, stored_used
end
