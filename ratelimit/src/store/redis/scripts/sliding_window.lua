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
  local ring = open_ring(key)

  if ring.newest > now then
    -- Only because the clock stepped back: what lies in the future was admitted now.
    local n = ring.len - 1
    while n >= 0 and ring.entry(n) > now do
      redis.call('SETRANGE', key, ring.offset(n), struct.pack('<d', now))
      n = n - 1
    end
    ring.newest = now
    ring.write_header()
    redis.call('PEXPIRE', key, lifetime(per))
  end

  local gone = ring.first_after(now - per)
  local used = ring.len - gone
  local newest = used > 0 and ring.newest or 0
  local fits = used + cost <= limit
  local blocking = 0
  if not fits and cost <= limit then
    blocking = ring.entry(gone + used + cost - limit - 1)
  end

  local function settle(take)
    local taken = take and math.min(cost, limit - used) or 0
    if taken > 0 then
      ring.push(gone, taken, limit)
      redis.call('PEXPIRE', key, lifetime(per))
    end
  end

  return fits, settle, used, newest, blocking
end
