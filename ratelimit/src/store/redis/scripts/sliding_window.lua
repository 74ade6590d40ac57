-- Sliding window, exact: the admissions of the last window as a ring of stamps in one string. What
-- it means is said in algorithm/sliding_window.rs, and what is in the string in ring.lua.
--
-- rule   what the request costs, the limit, and the window's length in microseconds
-- state  how many entries are in the window, the newest of them, and the entry that must have left
--        the window before a request that does not fit in does (0 for none)

-- stored   what the key holds, where that is known
--
-- Returns  whether the request fits in, the state, and the ring of what is in the window
local function look_at_sliding_window(key, rule, stored)
  local cost, limit, per = rule[1], rule[2], rule[3]
  local ring = read_ring(key, stored)
  if ring.newest > now then
    -- Only because the clock stepped back: what lies in the future was admitted now.
    local n = ring.len - 1
    while n >= 0 and ring_entry(ring, n) > now do
      local at = 20 + (ring.head + n) % ring.slots * 8
      redis.call('SETRANGE', key, at, struct.pack('<d', now))
      n = n - 1
    end
    local header = struct.pack('<I4I4I4d', ring.head, ring.len, ring.slots, now)
    redis.call('SETRANGE', key, '0', header)
    redis.call('PEXPIRE', key, lifetime(kept_after(now + per, per)))
    ring = read_ring(key)
  end

  local gone = ring_first_after(ring, now - per)
  local used = ring.len - gone
  if gone > 0 then
    ring.head, ring.len = (ring.head + gone) % ring.slots, used
  end
  local fits = used + cost <= limit
  local blocking = 0
  if not fits and cost <= limit then
    blocking = ring_entry(ring, used + cost - limit - 1)
  end
  return fits, used, used > 0 and ring.newest or 0, blocking, ring
end

-- Takes the cost, or all there is, from what was seen.
local function take_from_sliding_window(key, rule, used, _, _, ring)
  local taken = math.min(rule[1], rule[2] - used)
  if taken <= 0 then
    return
  end
  local len, slots = used + taken, ring.slots
  local stamps = struct.pack('<d', now)
  if taken > 1 then
    stamps = string.rep(stamps, taken)
  end
  local per = rule[3]
  local is_kept = now + per < kept_after(ring.newest + per, per)
  local life = not is_kept and lifetime(kept_after(now + per, per))
  if len <= 64 then
    write_ring(key, ring_stamps(ring), stamps, len, now, life)
  elseif len > slots then
    local new_slots = math.min(rule[2], math.max(2 * slots, len))
    write_ring(key, ring_stamps(ring), stamps, new_slots, now, life)
  else
    local from = (ring.head + used) % slots
    local before_end = math.min(taken, slots - from)
    redis.call('SETRANGE', key, 20 + from * 8, string.sub(stamps, 1, before_end * 8))
    if before_end < taken then
      redis.call('SETRANGE', key, '20', string.sub(stamps, before_end * 8 + 1))
    end
    redis.call('SETRANGE', key, '0', struct.pack('<I4I4I4d', ring.head, len, slots, now))
    if life then
      redis.call('PEXPIRE', key, life)
    end
  end
end
