-- Sliding window, exact: the admissions of the last window as a log of stamps. What it means is said
-- in algorithm/sliding_window.rs, and what is in the key in log.lua.
--
-- rule   what the request costs, the limit, and the window's length in microseconds; of what is taken
--        by it now, `till` and `since` are what kept_after says
-- state  how many units are in the window, the newest entry, and the entry that must have left
--        the window before a request that does not fit in does (0 for none)

-- Has what lies in the future be admitted now, which it does only because the clock stepped back.
local function step_log_back(key, stamps, log, newest, per)
  local till = kept_after(now + per, per)
  if stamps then
    local len
    stamps, len = without_dropped(stamps, log, newest, per)
    local past = log_first_after(stamps, len, newest, now)
    write_log(key, string.sub(stamps, 1, past * 8), len - past, till)
    return
  end
  if log.first_after(now) == 0 then
    write_log(key, '', log.units(0), till)
  else
    log.step_back()
    redis.call('PEXPIRE', key, lifetime(till))
  end
end

-- Returns whether the request fits in, the state, the log as read_log has it, and how many of its entries
-- have left the window.
local function look_at_sliding_window(key, rule)
  local cost, limit, per = rule[1], rule[2], rule[3]
  local stamps, log, newest = read_log(key, limit)
  if newest > now then
    step_log_back(key, stamps, log, newest, per)
    stamps, log, newest = read_log(key, limit)
  end
  local gone, used = 0, 0
  if not stamps then
    gone = log.first_after(now - per)
    used = log.units(gone)
  elseif log > 0 then
    -- Mostly the oldest is in the window.
    if unpack_stamp('<d', stamps) <= now - per then
      gone = log_first_after(stamps, log, newest, now - per)
    end
    used = log - gone
  end
  if used == 0 then
    newest = 0
  end
  local excess = used + cost - limit
  if excess <= 0 then
    return true, used, newest, 0, stamps, log, gone
  end
  local blocking = 0
  if cost <= limit then
    if stamps then
      blocking = log_entry(stamps, gone + excess - 1)
    else
      blocking = log.stamp_of_unit(gone, excess)
    end
  end
  return false, used, newest, blocking, stamps, log, gone
end

-- Takes the cost, or all there is, from what was seen.
local function take_from_sliding_window(key, rule, used, newest, _, stamps, log, gone)
  local taken, left, per = rule[1], rule[2] - used, rule[3]
  if taken > left then
    taken = left
  end
  if taken <= 0 then
    return
  end
  if not rule.till then
    rule.till, rule.since = kept_after(now + per, per)
  end
  local till, is_kept = rule.till, newest + per >= rule.since
  if used == 0 then
    write_log(key, '', taken, till)
  elseif not stamps then
    log.append(taken, gone)
    if not is_kept then
      redis.call('PEXPIRE', key, lifetime(till))
    end
  elseif is_kept and log + taken <= 128 then
    local more = struct.pack('<d', now)
    if taken > 1 then
      more = string.rep(more, taken)
    end
    redis.call('APPEND', key, more)
  else
    write_log(key, string.sub(stamps, gone * 8 + 1), taken, till)
  end
end
