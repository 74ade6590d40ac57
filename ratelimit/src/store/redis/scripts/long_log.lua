-- The log of more than 128 units: a list with an entry for each admission, the oldest first. The entries of
-- one unit that come before any of several are stamps, as '<d'. From the first one of several on, an entry
-- also has how many units are before it and how many it stands for, as '<dI3I3': so where a number of units
-- ends is searched for in as many steps as the length has digits, whatever was charged.
--
-- How many units are before an entry is counted from any number, modulo 2^24. A log has at most 131,072.
--
-- The first layout of a long log had a stamp for each unit. It is read as what it is, and what has one unit
-- for each entry is still written so. A release that knows only that layout fails at an entry of several
-- units with WRONGTYPE, an error of that bucket alone, and leaves the log as it is.

local unpack_stamp = struct.unpack

-- Opens the list of a key.
local function long_log(key, limit)
  local len = redis.call('LLEN', key)

  -- Fails with WRONGTYPE: it is not a list of this file.
  local function refuse()
    redis.call('GETRANGE', key, '0', '0')
  end

  -- What is read from it is bounded: each entry is at least one unit, and takes less than 128 bytes.
  local most = 65536 + 128 * len
  if len > limit or redis.call('MEMORY', 'USAGE', key, 'SAMPLES', '0') > most then
    refuse()
  end

  local function entry(n)
    local found = redis.call('LINDEX', key, n)
    if not found or (#found ~= 8 and #found ~= 14) then
      refuse()
    end
    return found
  end

  local function stamp(n)
    return (unpack_stamp('<d', entry(n)))
  end

  -- Returns the stamp of an entry of several units, how many are before it, and how many it has.
  local function counted(n)
    local found = entry(n)
    if #found ~= 14 then
      refuse()
    end
    return unpack_stamp('<dI3I3', found)
  end

  -- The first entries, up to `ones`, are of one unit, and the n-th of them has `offset + n` before it.
  local last, ones, offset = entry(len - 1), len, 0
  local newest, total, newest_units = unpack_stamp('<d', last), len, 1
  if #last == 14 then
    local _, before
    _, before, newest_units = unpack_stamp('<dI3I3', last)
    total = before + newest_units
    ones = 0
    if #entry(0) == 8 then
      -- Mostly they are few, or soon gone: the search goes out from the oldest in steps that double.
      local at = 1
      while at < len - 1 and #entry(at) == 8 do
        ones, at = at + 1, 2 * at
      end
      local end_at = math.min(at, len - 1)
      while ones < end_at do
        local middle = math.floor((ones + end_at) / 2)
        if #entry(middle) == 8 then
          ones = middle + 1
        else
          end_at = middle
        end
      end
      _, before = counted(ones)
      offset = before - ones
    end
  end

  -- Returns how many units are before an entry.
  local function units_before(n)
    if n < ones then
      return offset + n
    elseif n >= len then
      return total
    end
    local _, before = counted(n)
    return before
  end

  local log = { len = len, newest = newest }

  -- Returns how many units are in the entries from this one on, up to another.
  function log.units(first, till)
    return (units_before(till or len) - units_before(first)) % 16777216
  end

  -- Returns the first entry after an instant, from 0; `len` if there is none.
  function log.first_after(instant)
    if newest <= instant then
      return len
    end
    local first, at = 0, 0
    while at < len - 1 and stamp(at) <= instant do
      first, at = at + 1, math.max(2 * at, 1)
    end
    local last_at = math.min(at, len - 1)
    while first < last_at do
      local middle = math.floor((first + last_at) / 2)
      if stamp(middle) <= instant then
        first = middle + 1
      else
        last_at = middle
      end
    end
    return first
  end

  -- Returns the stamp of a unit, the n-th from the beginning of an entry, from 1.
  function log.stamp_of_unit(first, n)
    if first + n <= ones then
      return stamp(first + n - 1)
    end
    local from = units_before(first)
    local at, end_at = math.max(first, ones), len - 1
    while at < end_at do
      local middle = math.ceil((at + end_at) / 2)
      if (units_before(middle) - from) % 16777216 < n then
        at = middle
      else
        end_at = middle - 1
      end
    end
    return stamp(at)
  end

  -- Appends so many units of now, and removes the `gone` oldest entries, which are not all.
  function log.append(units, gone)
    if gone > 0 then
      redis.call('LTRIM', key, gone, '-1')
    end
    if ones == len and units == 1 then
      redis.call('RPUSH', key, struct.pack('<d', now))
    elseif ones == len then
      redis.call('RPUSH', key, struct.pack('<dI3I3', now, len - gone, units))
    elseif newest == now then
      local before = total - newest_units
      redis.call('LSET', key, '-1', struct.pack('<dI3I3', now, before, newest_units + units))
    else
      redis.call('RPUSH', key, struct.pack('<dI3I3', now, total % 16777216, units))
    end
  end

  -- Adds to how many units are before each of these entries.
  local function renumber(first, till, more)
    if first >= till then
      return
    end
    local entries = redis.call('LRANGE', key, first, till - 1)
    for i = 1, #entries do
      if #entries[i] ~= 14 then
        refuse()
      end
    end
    for i = 1, #entries do
      local at, before, units = unpack_stamp('<dI3I3', entries[i])
      local renumbered = struct.pack('<dI3I3', at, (before + more) % 16777216, units)
      redis.call('LSET', key, first + i - 1, renumbered)
    end
  end

  -- Removes what was admitted at an instant, up to so many units, and returns how many those were.
  --
  -- Of an entry of several units, the entries after it are renumbered, or those before it if they are
  -- fewer. If there are more than 4,096 of either, it stays: to write so many would block the server.
  function log.remove(instant, units)
    local first, till = log.first_after(instant - 1), log.first_after(instant)
    local given, n = 0, till - 1
    local earlier, later = n - ones, len - till
    -- What was charged at one instant is one entry, unless there are some of one unit before it.
    if n >= first and n >= ones and math.min(earlier, later) <= 4096 then
      local at, before, here = counted(n)
      given = math.min(here, units)
      if later <= earlier then
        renumber(till, len, -given)
      else
        renumber(ones, n, given)
        before = (before + given) % 16777216
      end
      if given < here then
        redis.call('LSET', key, n, struct.pack('<dI3I3', at, before, here - given))
      else
        redis.call('LSET', key, n, '')
        redis.call('LREM', key, '1', '')
      end
    end
    local of_one = math.min(math.min(till, ones) - first, units - given)
    if of_one > 0 then
      -- The newest is the last of the list, and what is given back is not old.
      redis.call('LREM', key, -of_one, struct.pack('<d', instant))
      given = given + of_one
    end
    return given
  end

  -- Has all that is after now be of now.
  function log.step_back()
    local past = log.first_after(now)
    local units = log.units(past)
    redis.call('LTRIM', key, '0', past - 1)
    long_log(key, limit).append(units, 0)
  end

  return log
end
