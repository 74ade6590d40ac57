-- Fixed window: when it opened and how much of it is used, as '<dI4': microseconds, used. A string
-- that is not of these 12 bytes counts as none. What it means is said in algorithm/fixed_window.rs.
--
-- rule   what the request costs, the limit, and the window's length in microseconds
-- state  start, used (now, 0 for no window, and for one that has closed), 0

local function store_fixed_window(key, rule, start, used, kept_till)
  store(key, struct.pack('<dI4', start, used), lifetime(start + rule[3], kept_till))
end

-- Returns  whether the request fits in, the state, and until when the key is kept (nil if it is not
--          this window's)
local function look_at_fixed_window(key, rule)
  local start, used, kept_till = now, 0, nil
  local stored = redis.call('GET', key)
  if stored and #stored == 12 then
    local stored_start, stored_used = struct.unpack('<dI4', stored)
    if stored_used > 0 and stored_start + rule[3] > now then
      start, used, kept_till = stored_start, stored_used, stored_start + rule[3]
    end
  end
  if start > now then
    -- Only because the clock stepped back: the window opens now, as full as it was.
    start, kept_till = now, now + rule[3]
    store_fixed_window(key, rule, start, used)
  end
  return used + rule[1] <= rule[2], start, used, 0, kept_till
end

-- Takes the cost, or all there is, from what was seen.
local function take_from_fixed_window(key, rule, start, used, _, kept_till)
  local taken = math.min(rule[1], rule[2] - used)
  if taken > 0 then
    store_fixed_window(key, rule, start, used + taken, kept_till)
  end
end
