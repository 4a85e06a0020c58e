# Functions of a ScriptCall (include/re/remote/host.hpp).

# The time in seconds since 1970, with a fraction where date knows one ("%N" or nothing otherwise).
re_clock() { date +%s.%N; }
