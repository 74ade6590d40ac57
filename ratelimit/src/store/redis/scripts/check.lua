-- Ends the script of a check of one bucket.
--
-- KEYS[1]  the bucket
-- ARGV     from the second on the rule
--
-- Returns  as '<ddddd': now, whether the request is admitted (1 or 0), and the state that it was
--          decided by

local rule = rule_at(2)
local fits, a, b, c, d, e, f = look(KEYS[1], rule)
if fits then
  take(KEYS[1], rule, a, b, c, d, e, f)
end
return struct.pack('<ddddd', now, fits and 1 or 0, a, b, c)
