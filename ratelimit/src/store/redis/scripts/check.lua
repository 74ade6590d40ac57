-- Ends the script of a check of one bucket.
--
-- KEYS[1]  the bucket
-- ARGV     from the second on what the algorithm asks for
--
-- Returns  whether the request is admitted (1 or 0), now, and the state that it was decided by

local admitted, settle, a, b, c = algorithm(KEYS[1], 2)
settle(admitted)
return { admitted and 1 or 0, now, a, b, c }
