-- Sliding window, exact: the admissions of the last window as a ring of stamps in one string. What
-- it means is said in algorithm/sliding_window.rs, and what is in the string in ring.lua.
--
-- ARGV[i]    what the request costs
-- ARGV[i+1]  the limit
-- ARGV[i+2]  the window's length in microseconds
--
-- Returns  whether the request fits in, how to settle it, how many entries are in the window, the
--          newest of them, and the entry that must have left the window before a request that does
--          not fit in does (0 for none)

local function sliding_window(key, i)
  local cost, limit, per = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
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
  local newest_in_window = used > 0 and newest or 0
  local fits = used + cost <= limit
  local blocking = 0
  if not fits and cost <= limit then
    blocking = ring_entry(key, head, slots, gone + used + cost - limit - 1)
  end

  local function settle(take)
    local taken = take and math.min(cost, limit - used) or 0
    if taken == 0 then
      return
    end
    local stamps = string.rep(struct.pack('<d', now), taken)
    if used + taken > slots then
      -- A larger ring, at least of 8 slots.
      local new_slots = math.min(limit, math.max(2 * slots, used + taken, 8))
      rewrite_ring(key, head, len, slots, gone, stamps, new_slots, now)
    else
      head = (head + gone) % slots
      local from = (head + used) % slots
      local before_end = math.min(taken, slots - from)
      redis.call('SETRANGE', key, 20 + from * 8, string.sub(stamps, 1, before_end * 8))
      if before_end < taken then
        redis.call('SETRANGE', key, 20, string.sub(stamps, before_end * 8 + 1))
      end
      redis.call('SETRANGE', key, 0, struct.pack('<I4I4I4d', head, used + taken, slots, now))
    end
    redis.call('PEXPIRE', key, lifetime(per))
  end

  return fits, settle, used, newest_in_window, blocking
end
