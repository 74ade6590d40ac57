-- Fixed window: when it opened and how much of it is used, as '<dI4': microseconds, used. A string
-- that is not of these 12 bytes counts as none. What it means is said in algorithm/fixed_window.rs.
--
-- rule   what the request costs, the limit, and the window's length in microseconds
-- state  start, used (now, 0 for no window, and for one that has closed), 0

local function store_fixed_window(key, rule, start, used)
  redis.call('SET', key, struct.pack('<dI4', start, used), 'PX', lifetime(start + rule[3]))
end

-- Returns whether the request fits in, the state, and whether it is stored, so that the key is kept
-- until the window closes
local function look_at_fixed_window(key, rule)
  local start, used, is_stored = now, 0, false
  local stored = redis.call('GETRANGE', key, '0', '128')
  if #stored > 128 then
    -- Of any length. To write over it would free it, which can take long: this fails with WRONGTYPE.
    redis.call('LLEN', key)
  elseif #stored == 12 then
    local stored_start, stored_used = struct.unpack('<dI4', stored)
    if stored_used > 0 and stored_start + rule[3] > now then
      start, used, is_stored = stored_start, stored_used, true
    end
  end
  if start > now then
    -- Only because the clock stepped back: the window opens now, as full as it was.
    start = now
    store_fixed_window(key, rule, start, used)
  end
  return used + rule[1] <= rule[2], start, used, 0, is_stored
end

-- Takes the cost, or all there is, from what was seen.
local function take_from_fixed_window(key, rule, start, used, _, is_stored)
  local taken = math.min(rule[1], rule[2] - used)
  if taken > 0 and is_stored then
    redis.call('SETRANGE', key, '8', struct.pack('<I4', used + taken))
  elseif taken > 0 then
    store_fixed_window(key, rule, start, used + taken)
  end
end
