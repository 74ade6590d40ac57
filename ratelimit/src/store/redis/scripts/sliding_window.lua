-- Sliding window, exact: the admissions of the last window as a ring of stamps in one string. What
-- it means is said in algorithm/sliding_window.rs, and what is in the string in ring.lua.
--
-- rule   what the request costs, the limit, and the window's length in microseconds
-- state  how many entries are in the window, the newest of them, and the entry that must have left
--        the window before a request that does not fit in does (0 for none)

-- Returns  whether the request fits in, the state, and of the ring where the window's first entry is,
--          and how many slots
local function look_at_sliding_window(key, rule)
  local cost, limit, per = rule[1], rule[2], rule[3]
  local head, len, slots, newest = 0, 0, 0, 0
  local header = redis.call('GETRANGE', key, 0, 19)
  if #header == 20 then
    head, len, slots, newest = struct.unpack('<I4I4I4d', header)
  end

  if newest > now then
    -- Only because the clock stepped back: what lies in the future was admitted now.
    local n = len - 1
    while n >= 0 and ring_entry(key, head, slots, n) > now do
      redis.call('SETRANGE', key, 20 + (head + n) % slots * 8, struct.pack('<d', now))
      n = n - 1
    end
    newest = now
    redis.call('SETRANGE', key, 0, struct.pack('<I4I4I4d', head, len, slots, newest))
    redis.call('PEXPIRE', key, lifetime(per))
  end

  local gone = ring_first_after(key, head, len, slots, newest, now - per)
  local used = len - gone
  if used == 0 then
    return cost <= limit, 0, 0, 0, 0, slots
  end
  local first = (head + gone) % slots
  local fits = used + cost <= limit
  local blocking = 0
  if not fits and cost <= limit then
    blocking = ring_entry(key, first, slots, used + cost - limit - 1)
  end
  return fits, used, newest, blocking, first, slots
end

-- Takes the cost, or all there is, from what was seen.
local function take_from_sliding_window(key, rule, used, _, _, first, slots)
  local taken = math.min(rule[1], rule[2] - used)
  if taken <= 0 then
    return
  end
  local stamps = string.rep(struct.pack('<d', now), taken)
  if used + taken > slots then
    -- A larger ring, at least of 8 slots.
    local new_slots = math.min(rule[2], math.max(2 * slots, used + taken, 8))
    rewrite_ring(key, first, used, slots, stamps, new_slots, now)
  else
    local from = (first + used) % slots
    local before_end = math.min(taken, slots - from)
    redis.call('SETRANGE', key, 20 + from * 8, string.sub(stamps, 1, before_end * 8))
    if before_end < taken then
      redis.call('SETRANGE', key, 20, string.sub(stamps, before_end * 8 + 1))
    end
    redis.call('SETRANGE', key, 0, struct.pack('<I4I4I4d', first, used + taken, slots, now))
  end
  redis.call('PEXPIRE', key, lifetime(rule[3]))
end
