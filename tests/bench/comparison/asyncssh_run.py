"""Runs a command on many hosts with asyncssh, as briefly as its documentation shows it, and prints what they say.

    asyncssh_run.py HOSTS_FILE PORT USER KEY KNOWN_HOSTS KEX COMMAND
"""

import asyncio
import sys
import warnings

warnings.simplefilter("ignore")  # about ciphers that nobody uses

import asyncssh  # noqa: E402


async def ask(host, port, options, command):
    async with asyncssh.connect(host, port, **options) as connection:
        return await connection.run(command, check=True)


async def main():
    hosts_file, port, user, key, known_hosts, kex, command = sys.argv[1:]
    options = {"username": user, "client_keys": [key], "known_hosts": known_hosts, "kex_algs": [kex], "config": None,
               "agent_path": None}
    with open(hosts_file) as file:
        hosts = file.read().split()
    for answer in await asyncio.gather(*(ask(host, int(port), options, command) for host in hosts)):
        print(answer.stdout, end="")


asyncio.run(main())
