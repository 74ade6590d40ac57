-- Forgets a bucket. What an operator has removed may be anything: to free it at once, as DEL does, takes a
-- second for some million fields, in which the server answers no client.
--
-- In a script, since some proxies do not know the command.

return redis.call('UNLINK', KEYS[1])
