-- Ends the script that takes a cost from one bucket, or all there is if that is less.
--
-- KEYS[1]  the bucket
-- ARGV     from the second on the rule
--
-- Returns  as '<ddddd': now, whether it was all there (1 or 0), and the state that it was taken from

local rule = rule_at(2)
local fits, a, b, c, d, e, f = look(KEYS[1], rule)
take(KEYS[1], rule, a, b, c, d, e, f)
return struct.pack('<ddddd', now, fits and 1 or 0, a, b, c)
