-- Sliding window, exact: the admissions of the last window as a ring of stamps in one string. What
-- it means is said in algorithm/sliding_window.rs.
--
-- The string is a header, then `slots` stamps, of which the `len` from `head` on are in use, in the
-- order of time; after the last slot comes the first. A stamp is the microsecond of an admission
-- as a double, one for each unit of its cost. The ring doubles when it is full, up to the limit, so
-- that a client takes the room of what it does and not of what it might.
--
--   header  '<I4I4I4d'  head, len, slots, newest stamp
--
-- KEYS[1]  the bucket
-- ARGV[2]  what the request costs
-- ARGV[3]  the limit
-- ARGV[4]  the window's length in microseconds
--
-- Returns  admitted (1 or 0), now, how many entries are in the window, the newest of them, and the
--          entry that must have left the window before a denied request fits in (0 for none)

local key = KEYS[1]
local cost, limit, per = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local HEADER, STAMP, SMALLEST = 20, 8, 8

local head, len, slots, newest = 0, 0, 0, 0
local header = redis.call('GETRANGE', key, 0, HEADER - 1)
if #header == HEADER then
  head, len, slots, newest = struct.unpack('<I4I4I4d', header)
end

local function offset(i)
  return HEADER + (head + i) % slots * STAMP
end

-- The i-th oldest entry, from 0.
local function entry(i)
  local at = offset(i)
  return (struct.unpack('<d', redis.call('GETRANGE', key, at, at + STAMP - 1)))
end

local function write_header()
  redis.call('SETRANGE', key, 0, struct.pack('<I4I4I4d', head, len, slots, newest))
end

if newest > now then
  -- Only because the clock stepped back: what lies in the future was admitted now.
  local i = len - 1
  while i >= 0 and entry(i) > now do
    redis.call('SETRANGE', key, offset(i), struct.pack('<d', now))
    i = i - 1
  end
  newest = now
  write_header()
  redis.call('PEXPIRE', key, lifetime(per))
end

-- How many entries have left the window. Each admission drops those before it, so they are few, and
-- the search goes out from the oldest in steps that double.
local gone = 0
if len > 0 and newest + per <= now then
  gone = len
elseif len > 0 then
  local step, live = 1, len - 1
  while gone + step - 1 < live and entry(gone + step - 1) + per <= now do
    gone = gone + step
    step = step * 2
  end
  live = math.min(live, gone + step - 1)
  while gone < live do
    local middle = math.floor((gone + live) / 2)
    if entry(middle) + per <= now then
      gone = middle + 1
    else
      live = middle
    end
  end
end

local used = len - gone
local newest_before = used > 0 and newest or 0
local admitted = used + cost <= limit
local blocking = 0
if not admitted and cost <= limit then
  blocking = entry(gone + used + cost - limit - 1)
end

if admitted and cost > 0 then
  local stamps = string.rep(struct.pack('<d', now), cost)
  if used + cost > slots then
    -- A larger ring, its oldest entry in the first slot.
    local live = ''
    if used > 0 then
      local from, to = offset(gone), offset(len - 1)
      if from <= to then
        live = redis.call('GETRANGE', key, from, to + STAMP - 1)
      else
        live = redis.call('GETRANGE', key, from, -1) .. redis.call('GETRANGE', key, HEADER, to + STAMP - 1)
      end
    end
    slots = math.min(limit, math.max(2 * slots, used + cost, SMALLEST))
    head, len, newest = 0, used + cost, now
    redis.call('SET', key, struct.pack('<I4I4I4d', head, len, slots, newest) .. live .. stamps
      .. string.rep('\0', (slots - len) * STAMP), 'PX', lifetime(per))
  else
    head = (head + gone) % slots
    local from = (head + used) % slots
    local before_end = math.min(cost, slots - from)
    redis.call('SETRANGE', key, HEADER + from * STAMP, string.sub(stamps, 1, before_end * STAMP))
    if before_end < cost then
      redis.call('SETRANGE', key, HEADER, string.sub(stamps, before_end * STAMP + 1))
    end
    len, newest = used + cost, now
    write_header()
    redis.call('PEXPIRE', key, lifetime(per))
  end
end
return { admitted and 1 or 0, now, used, newest_before, blocking }
