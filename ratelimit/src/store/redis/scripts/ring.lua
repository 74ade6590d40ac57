-- A ring of stamps in one string: a header, then `slots` stamps, of which the `len` from `head` on
-- are in use, in the order of time; after the last slot comes the first. A stamp is the microsecond
-- of an admission as a double, one for each unit of its cost. A ring of up to 64 entries has no more
-- slots than these, and is read and written whole, in one call each. A larger one doubles when it is
-- full, up to the limit. So a client takes the room of what it does and not of what it might.
--
--   header  '<I4I4I4d'  head, len, slots, newest stamp
--
-- The header takes 20 bytes and a stamp 8, and 64 stamps with it 532. They stand here as numbers, and
-- the functions are plain ones: a script makes all of its functions anew at each call, with all that
-- they refer to.

-- The ring of a key, with the start of its string, or all of it: an empty one where there is none.
local function read_ring(key, stored)
  local start = stored or redis.call('GETRANGE', key, '0', '531')
  local head, len, slots, newest = 0, 0, 0, 0
  if #start >= 20 then
    head, len, slots, newest = struct.unpack('<I4I4I4d', start)
  end
  return { key = key, start = start, head = head, len = len, slots = slots, newest = newest }
end

-- The n-th oldest entry, from 0.
local function ring_entry(ring, n)
  local at = 20 + (ring.head + n) % ring.slots * 8
  if at < #ring.start then
    return (struct.unpack('<d', ring.start, at + 1))
  end
  return (struct.unpack('<d', redis.call('GETRANGE', ring.key, at, at + 7)))
end

-- The first entry after an instant, from 0; `len` where there is none. Each admission drops those
-- before it, so they are few, and the search goes out from the oldest in steps that double.
local function ring_first_after(ring, instant)
  if ring.len == 0 or ring.newest <= instant then
    return ring.len
  end
  local first, last, step = 0, ring.len - 1, 1
  while first + step - 1 < last and ring_entry(ring, first + step - 1) <= instant do
    first = first + step
    step = step * 2
  end
  last = math.min(last, first + step - 1)
  while first < last do
    local middle = math.floor((first + last) / 2)
    if ring_entry(ring, middle) <= instant then
      first = middle + 1
    else
      last = middle
    end
  end
  return first
end

-- All entries, the oldest first.
local function ring_stamps(ring)
  if ring.len == 0 then
    return ''
  end
  local all = ring.slots > 64 and redis.call('GETRANGE', ring.key, 0, -1) or ring.start
  local from, to = 21 + ring.head * 8, 28 + (ring.head + ring.len - 1) % ring.slots * 8
  if from < to then
    return string.sub(all, from, to)
  end
  return string.sub(all, from) .. string.sub(all, 21, to)
end

-- Writes these stamps, and then those, as the whole of a ring, the oldest in the first slot, for so
-- long; without that, its expiry stays.
local function write_ring(key, stamps, more, slots, newest, life)
  local len = (#stamps + #more) / 8
  local unused = len < slots and string.rep('\0', (slots - len) * 8) or ''
  local ring = struct.pack('<I4I4I4d', 0, len, slots, newest) .. stamps .. more .. unused
  if life then
    redis.call('SET', key, ring, 'PX', life)
  else
    redis.call('SET', key, ring, 'KEEPTTL')
  end
end
