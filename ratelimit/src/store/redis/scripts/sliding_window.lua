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
  local head, len, slots, newest = open_ring(key)

  if newest > now then
    -- Only because the clock stepped back: what lies in the future was admitted now.
    local n = len - 1
    while n >= 0 and ring_entry(key, head, slots, n) > now do
      redis.call('SETRANGE', key, HEADER + (head + n) % slots * STAMP, struct.pack('<d', now))
      n = n - 1
    end
    newest = now
    redis.call('SETRANGE', key, 0, ring_header(head, len, slots, newest))
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
      local live = ring_bytes_from(key, head, len, slots, gone)
      write_ring(key, live .. stamps, math.min(limit, math.max(2 * slots, used + taken, SMALLEST)), now)
    else
      head = (head + gone) % slots
      local from = (head + used) % slots
      local before_end = math.min(taken, slots - from)
      redis.call('SETRANGE', key, HEADER + from * STAMP, string.sub(stamps, 1, before_end * STAMP))
      if before_end < taken then
        redis.call('SETRANGE', key, HEADER, string.sub(stamps, before_end * STAMP + 1))
      end
      redis.call('SETRANGE', key, 0, ring_header(head, used + taken, slots, now))
    end
    redis.call('PEXPIRE', key, lifetime(per))
  end

  return fits, settle, used, newest_in_window, blocking
end
