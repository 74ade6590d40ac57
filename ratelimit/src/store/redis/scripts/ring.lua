-- A ring of stamps in one string: a header, then `slots` stamps, of which the `len` from `head` on
-- are in use, in the order of time; after the last slot comes the first. A stamp is the microsecond
-- of an admission as a double, one for each unit of its cost. The ring doubles when it is full, up
-- to the limit, so that a client takes the room of what it does and not of what it might.
--
--   header  '<I4I4I4d'  head, len, slots, newest stamp

local HEADER, STAMP, SMALLEST = 20, 8, 8

local function open_ring(key)
  local ring = { head = 0, len = 0, slots = 0, newest = 0 }
  local header = redis.call('GETRANGE', key, 0, HEADER - 1)
  if #header == HEADER then
    ring.head, ring.len, ring.slots, ring.newest = struct.unpack('<I4I4I4d', header)
  end

  local function header_bytes()
    return struct.pack('<I4I4I4d', ring.head, ring.len, ring.slots, ring.newest)
  end

  function ring.write_header()
    redis.call('SETRANGE', key, 0, header_bytes())
  end

  function ring.offset(n)
    return HEADER + (ring.head + n) % ring.slots * STAMP
  end

  -- The n-th oldest entry, from 0.
  function ring.entry(n)
    local at = ring.offset(n)
    return (struct.unpack('<d', redis.call('GETRANGE', key, at, at + STAMP - 1)))
  end

  -- The first entry after an instant, from 0; `len` where there is none. Each admission drops those
  -- before it, so they are few, and the search goes out from the oldest in steps that double.
  function ring.first_after(instant)
    if ring.len == 0 or ring.newest <= instant then
      return ring.len
    end
    local first, last, step = 0, ring.len - 1, 1
    while first + step - 1 < last and ring.entry(first + step - 1) <= instant do
      first = first + step
      step = step * 2
    end
    last = math.min(last, first + step - 1)
    while first < last do
      local middle = math.floor((first + last) / 2)
      if ring.entry(middle) <= instant then
        first = middle + 1
      else
        last = middle
      end
    end
    return first
  end

  -- The stamps of the entries from the n-th on, side by side.
  function ring.bytes_from(n)
    if n >= ring.len then
      return ''
    end
    local from, to = ring.offset(n), ring.offset(ring.len - 1)
    if from <= to then
      return redis.call('GETRANGE', key, from, to + STAMP - 1)
    end
    return redis.call('GETRANGE', key, from, -1) .. redis.call('GETRANGE', key, HEADER, to + STAMP - 1)
  end

  -- Writes these stamps as the whole of the ring, the oldest in the first slot. It keeps its expiry.
  function ring.rewrite(stamps, slots)
    ring.head, ring.len, ring.slots = 0, #stamps / STAMP, slots
    redis.call('SET', key, header_bytes() .. stamps .. string.rep('\0', slots * STAMP - #stamps), 'KEEPTTL')
  end

  -- Drops the `gone` oldest entries, and adds as many of now.
  function ring.push(gone, count, limit)
    local stamps = string.rep(struct.pack('<d', now), count)
    local used = ring.len - gone
    ring.newest = now
    if used + count > ring.slots then
      local slots = math.min(limit, math.max(2 * ring.slots, used + count, SMALLEST))
      ring.rewrite(ring.bytes_from(gone) .. stamps, slots)
      return
    end
    ring.head = (ring.head + gone) % ring.slots
    local from = (ring.head + used) % ring.slots
    local before_end = math.min(count, ring.slots - from)
    redis.call('SETRANGE', key, HEADER + from * STAMP, string.sub(stamps, 1, before_end * STAMP))
    if before_end < count then
      redis.call('SETRANGE', key, HEADER, string.sub(stamps, before_end * STAMP + 1))
    end
    ring.len = used + count
    ring.write_header()
  end

  return ring
end
