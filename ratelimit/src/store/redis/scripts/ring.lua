-- A ring of stamps in one string: a header, then `slots` stamps, of which the `len` from `head` on
-- are in use, in the order of time; after the last slot comes the first. A stamp is the microsecond
-- of an admission as a double, one for each unit of its cost. The ring doubles when it is full, up
-- to the limit, so that a client takes the room of what it does and not of what it might.
--
--   header  '<I4I4I4d'  head, len, slots, newest stamp
--
-- Functions and not a table of closures, which a script would have to make anew at each call.

local HEADER, STAMP, SMALLEST = 20, 8, 8

-- Returns  head, len, slots, newest (0, 0, 0, 0 for none)
local function open_ring(key)
  local header = redis.call('GETRANGE', key, 0, HEADER - 1)
  if #header < HEADER then
    return 0, 0, 0, 0
  end
  return struct.unpack('<I4I4I4d', header)
end

local function ring_header(head, len, slots, newest)
  return struct.pack('<I4I4I4d', head, len, slots, newest)
end

-- The n-th oldest entry, from 0.
local function ring_entry(key, head, slots, n)
  local at = HEADER + (head + n) % slots * STAMP
  return (struct.unpack('<d', redis.call('GETRANGE', key, at, at + STAMP - 1)))
end

-- The first entry after an instant, from 0; `len` where there is none. Each admission drops those
-- before it, so they are few, and the search goes out from the oldest in steps that double.
local function ring_first_after(key, head, len, slots, newest, instant)
  if len == 0 or newest <= instant then
    return len
  end
  local first, last, step = 0, len - 1, 1
  while first + step - 1 < last and ring_entry(key, head, slots, first + step - 1) <= instant do
    first = first + step
    step = step * 2
  end
  last = math.min(last, first + step - 1)
  while first < last do
    local middle = math.floor((first + last) / 2)
    if ring_entry(key, head, slots, middle) <= instant then
      first = middle + 1
    else
      last = middle
    end
  end
  return first
end

-- The stamps of the entries from the n-th on, side by side.
local function ring_bytes_from(key, head, len, slots, n)
  if n >= len then
    return ''
  end
  local from = HEADER + (head + n) % slots * STAMP
  local to = HEADER + (head + len - 1) % slots * STAMP
  if from <= to then
    return redis.call('GETRANGE', key, from, to + STAMP - 1)
  end
  return redis.call('GETRANGE', key, from, -1) .. redis.call('GETRANGE', key, HEADER, to + STAMP - 1)
end

-- Writes these stamps as the whole of the ring, the oldest in the first slot. It keeps its expiry.
local function write_ring(key, stamps, slots, newest)
  local free = string.rep('\0', slots * STAMP - #stamps)
  redis.call('SET', key, ring_header(0, #stamps / STAMP, slots, newest) .. stamps .. free, 'KEEPTTL')
end
