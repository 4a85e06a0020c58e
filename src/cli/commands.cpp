// The command table. One record a command; its function stands in commands/<name>.cpp.
#include <array>

#include "cli/command.hpp"
#include "cli/commands/all.hpp"

namespace re::cli {

namespace {

constexpr Option k_instance = {"-i,--instance", "INSTANCE", "where: index, name, user@host[:port] or local",
                               "instance"};
constexpr Option k_instances = {"-i,--instance", "INSTANCE",
                                "where: index, name, user@host[:port], local, all or a tag; several with "
                                "commas, or each with an option of its own",
                                "instances", Repeats::yes};
constexpr Option k_instance_index = {"--instance-idx", "N",
                                     "where, by index (recompute.py's spelling of -i N)", "instance-index"};
constexpr Option k_remote_home = {"--remote-home", "DIR",
                                  "directory on the host in which projects lie [projects/]"};
constexpr Option k_deadline = {"--deadline", "TIME", "give a host up after this long (10s, 2min)"};
constexpr Option k_force_list = {"--force", "", "read every file anew instead of trusting sizes and times"};
constexpr Option k_name = {"--name", "NAME", "name of the job, shown by list [runner]"};
constexpr Option k_rsync = {"--rsync", "", "bring the project's files up to date first (the default)"};
constexpr Option k_no_rsync = {"--no-rsync", "",
                               "run from the last snapshot that the host has, whatever was edited since"};
constexpr Option k_live = {
    "--live", "", "run in the project's own directory on the host instead of a tree of the job's own"};
constexpr Option k_continue = {"--continue", "JOB",
                               "start from that job's files: its outputs lie in the new job's tree", "job"};
constexpr Option k_env = {
    "-e,--env", "NAME=VALUE", "set a variable for the job; may be given several times", {}, Repeats::yes};
constexpr Option k_index = {"--idx", "N", "the job's index (recompute.py's spelling); 0 means all",
                            "job-index"};
constexpr Option k_log_index = {"--idx", "N", "the job's index (recompute.py's spelling)", "job-index"};
constexpr Option k_yes = {"-y,--yes", "", "do not ask"};
constexpr Option k_dry_run = {"-n,--dry-run", "", "say what would be done, do nothing"};

constexpr std::array k_common = {
    Option{"--config", "FILE", "read this configuration instead of ~/.config/re/re.conf or ~/.recompute.conf",
           "file"},
    Option{"--no-master", "", "connect without the connection master"},
    Option{"--json", "", "print JSON on stdout"},
    Option{"-q,--quiet", "", "print results and errors only"},
    Option{"--color", "WHEN", "auto, always or never", "auto|always|never"},
    Option{"-h,--help", "", "show this help"},
};

constexpr std::array k_conf = {Option{"--force", "", "overwrite an existing file (it is kept as FILE.bak)"}};
constexpr std::array k_sshadd = {
    Option{"-i,--instance", "USER@HOST[:PORT]",
           "the machine to add (recompute.py's spelling of the argument)"},
    Option{"--name", "NAME", "a name for it"},
    Option{"--identity", "FILE", "private key to log in with", "file"},
    Option{"--save-password", "", "write the password that was typed into the configuration (mode 0600)"},
    Option{"--no-check", "", "add it without trying to connect"},
};
constexpr std::array k_init = {k_instance,
                               k_instance_index,
                               k_remote_home,
                               k_force_list,
                               Option{"--no-rsync", "", "copy nothing yet"},
                               Option{"--no-install", "", "install nothing: see re install"},
                               k_dry_run};
constexpr std::array k_install = {
    k_instance, k_instance_index, k_remote_home,
    Option{"--force", "", "install also what was installed last; read the imports anew"}, k_deadline};
constexpr std::array k_rsync_options = {
    k_instance,    k_instance_index,
    k_remote_home, k_force_list,
    k_dry_run,     Option{"--delete", "", "also delete there what is no longer here, after a preview"},
    k_yes};
constexpr std::array k_async = {
    k_instances,
    k_instance_index,
    k_remote_home,
    k_name,
    k_force_list,
    k_rsync,
    k_no_rsync,
    k_live,
    k_continue,
    k_env,
    Option{"--batch", "FILE",
           "start a job for each line of FILE (- is stdin) that is not blank and begins with no #", "file"},
    k_deadline};
constexpr std::array k_sync = {
    k_instances,
    k_instance_index,
    k_remote_home,
    k_name,
    k_force_list,
    k_rsync,
    k_no_rsync,
    k_live,
    k_continue,
    k_env,
    k_deadline,
    Option{"-t,--tty", "", "give the job a terminal; it then lives as long as the connection"}};
constexpr std::array k_log = {
    k_instances,
    k_instance_index,
    k_log_index,
    Option{"--loop", "SECONDS", "look again every so often and print what is new, until the job ends"},
    Option{"-f,--follow", "", "stream the log as it is written, until the job ends"},
    Option{"-n,--tail", "LINES", "only the last so many lines"},
    Option{"--filter", "REGEX", "only lines that match (POSIX extended regular expression, as grep -E)"},
    Option{"--exit-code", "", "end with the job's exit code"}};
constexpr std::array k_list = {
    k_instances,
    k_instance_index,
    k_deadline,
    Option{"-a,--all", "", "ended jobs too"},
    Option{"--all-projects", "", "the jobs of all projects"},
    Option{"--force", "", "accepted for recompute.py's sake: the list is always fresh"}};
constexpr Option k_grace = {"--grace", "TIME", "time between TERM and KILL [5s]"};
constexpr std::array k_kill = {k_instances, k_instance_index, k_index, k_yes, k_deadline, k_grace};
constexpr std::array k_purge = {k_instances, k_instance_index, k_yes, k_deadline, k_grace};
constexpr std::array k_clean = {
    k_instances,
    k_instance_index,
    Option{"--older-than", "TIME",
           "only jobs that ended so long ago (12h, 7d) [7d without --keep and --max-size]"},
    Option{"--keep", "N", "the newest N ended jobs of each project stay [1]"},
    Option{"--max-size", "SIZE", "only as many of the oldest as leave no more than this (20G)"},
    Option{"--all-projects", "", "the jobs of all projects"},
    k_dry_run,
    k_yes,
    k_deadline};
constexpr std::array k_data = {
    k_instance,
    k_instance_index,
    k_remote_home,
    Option{"--urls", "URLS", "URLs, with commas or blanks between them (recompute.py's spelling)"},
    Option{"--force", "", "download anew what is there already"},
    Option{"--run-async", "", "start the download as a job and return"},
    k_deadline};
constexpr std::array k_push = {k_instance, k_instance_index, k_remote_home, k_dry_run};
constexpr std::array k_pull = {
    k_instance, k_instance_index, k_remote_home, k_dry_run,
    Option{"--job", "JOB", "from this job's tree [the newest job's, then the project's]", "job"}};
constexpr std::array k_probe = {k_instances,
                                k_instance_index,
                                k_remote_home,
                                k_deadline,
                                Option{"--gpus", "", "one row per GPU"},
                                Option{"--force", "", "accepted for recompute.py's sake: nothing is cached"}};

constexpr std::array k_doctor = {k_instances, k_instance_index, k_deadline};
constexpr std::array k_notebook = {
    k_instance,
    k_instance_index,
    k_remote_home,
    Option{"--name", "NAME", "name of the job, shown by list [notebook]"},
    Option{"--dir", "DIR", "directory below the project's to work in [the project's]"},
    Option{"--port", "PORT", "local port [a free one]"},
    Option{"--open", "", "open it in a browser"},
    Option{"--run-async", "", "leave the server running; re notebook JOB opens it"},
    Option{"--rsync", "", "copy the project's files first, over what was edited there"}};
constexpr std::array k_forward = {k_instance, k_instance_index};
constexpr std::array k_ssh = {k_instance, k_instance_index, k_remote_home};

constexpr std::array k_commands = {
    Command{"conf",
            "Setting up",
            "Write a sample configuration",
            "",
            "Writes ~/.config/re/re.conf with every key explained, unless a configuration exists.",
            k_conf,
            Arguments::none,
            {},
            run_conf},
    Command{"sshadd",
            "Setting up",
            "Add a machine to the configuration",
            "USER@HOST[:PORT]",
            "Connects to the machine once, with the keys that ssh would use or a password that is asked for, "
            "and appends an "
            "[instance N] section. The rest of the file stays as it is.",
            k_sshadd,
            Arguments::one_optional,
            {},
            run_sshadd},
    Command{"init",
            "Setting up",
            "Make this directory a project and copy it to the host",
            "",
            "Finds the project's files by reading its imports, writes .recompute/, makes the project's "
            "directory on the host "
            "and copies the files. Then it installs what the project needs there, as re install does. Done "
            "twice it "
            "changes nothing.",
            k_init,
            Arguments::none,
            {},
            run_init},
    Command{
        "install",
        "Setting up",
        "Install what the project needs, on the host",
        "[PACKAGE...]",
        "Installs into .venv of the project on the host, which is made if it is missing and sees what the "
        "machine has already, or into the environment that python = in the configuration names. Jobs find "
        "it first in their PATH. What is needed is said by uv.lock, environment.yml, a requirements.txt "
        "that you wrote, or pyproject.toml, the first that there is; else by the project's imports, with "
        "the versions installed here, and written to requirements.txt. An unchanged set costs one question. "
        "With arguments these packages, as pip takes them.",
        k_install,
        Arguments::many,
        {},
        run_install},
    Command{
        "rsync",
        "Files",
        "Bring the project's files on the host up to date",
        "",
        "Copies the files that .recompute/rsync.db lists. Nothing on the host is deleted without --delete.",
        k_rsync_options,
        Arguments::none,
        {},
        run_rsync},
    Command{"push", "Files", "Upload files", "LOCAL... [REMOTE]",
            "Paths on the host are relative to the project there; without REMOTE they go to data/. As "
            "recompute.py took it, one "
            "quoted pair \"LOCAL REMOTE\" does the same. A file of 32 MiB or more that does not exist there, "
            "or has another size there, "
            "travels in blocks over several channels at once; rsync sends all others, and of a file that has "
            "the same size the differences. "
            "A file appears whole under its name; what an interrupted push has sent is kept in .re-partial/ "
            "beside it for the next one.",
            k_push, Arguments::many, "file", run_push},
    Command{"pull", "Files", "Download files", "REMOTE... [LOCAL]",
            "A relative path is looked for in the newest job's tree (--job names another), then in the "
            "project on the host. "
            "Without LOCAL it comes to the same place in the project here. As recompute.py took it, one "
            "quoted pair "
            "\"REMOTE LOCAL\" does the same.",
            k_pull, Arguments::many, "remote", run_pull},
    Command{
        "data",
        "Files",
        "Download files from the web, on the host itself",
        "URL...",
        "They come into data/ of the project on the host, four at the same time, and outlive this machine "
        "and the connection: a download is a job. One that was broken off goes on where it ended. What is "
        "there already is not downloaded again. Behind a URL #sha256=DIGITS says what is expected. Needs "
        "curl or wget on the host. As recompute.py took it, one quoted \"URL URL\" does the same.",
        k_data,
        Arguments::many,
        {},
        run_data},
    Command{"async",
            "Jobs",
            "Start a command on the host and return",
            "COMMAND...",
            "The job runs in a tree of its own, made from a snapshot of the project as it is now: later "
            "edits never reach it, and "
            "parallel jobs never overwrite each other's outputs. It outlives the connection and this "
            "machine. One quoted "
            "argument is a command for the remote sh; several arguments arrive as they are. With -i all, a "
            "tag or a list each instance gets a job of its own, and a line (or, with --json, an entry of an "
            "array); it ends with 0 if all were started. With --batch each line of a file is such a quoted "
            "argument and gets a job of its own on one instance: all are accepted together, then they start "
            "one after the other and run at the same time.",
            k_async,
            Arguments::command,
            {},
            run_async},
    Command{"sync",
            "Jobs",
            "Run a command on the host and wait for it",
            "COMMAND...",
            "As async, with stdin, stdout, stderr and signals passed through; ends with the command's exit "
            "code (128+N for "
            "signal N), 255 when the connection failed. If the connection breaks the job goes on, and re log "
            "--follow picks it up. With -i all, a tag or a list it runs on each instance at the same time: "
            "every line comes with its instance's name before it, stdin goes to nobody, signals go to all, "
            "and the highest exit code counts.",
            k_sync,
            Arguments::command,
            {},
            run_sync},
    Command{"log", "Jobs", "Show a job's output", "[JOB]",
            "JOB is an index, a name or an id; the newest job if none is named.", k_log,
            Arguments::one_optional, "job", run_log},
    Command{"list",
            "Jobs",
            "List jobs, on all hosts that have some",
            "",
            "Live jobs of this project (of all projects outside one), also those started from another "
            "machine. A host that cannot be "
            "reached is shown as unreachable.",
            k_list,
            Arguments::none,
            {},
            run_list},
    Command{"kill", "Jobs", "End jobs and everything they started", "[JOB...]",
            "JOB is an index, a name or an id; 0 means all. Without one the live jobs are listed and the "
            "index is asked for. With -i only jobs on these instances are ended, and a name means the newest "
            "job of that name on each.",
            k_kill, Arguments::many, "live-job", run_kill},
    Command{"purge",
            "Jobs",
            "End all live jobs of the project",
            "",
            "Lists them and asks first, on a terminal; elsewhere it needs --yes.",
            k_purge,
            Arguments::none,
            {},
            run_purge},
    Command{
        "clean", "Jobs", "Remove what ended jobs have left on the hosts", "[JOB...]",
        "Removes ended jobs with their logs and trees, and snapshots that no job needs any more, after a "
        "preview that says how much becomes free. Live jobs and their snapshots are never touched, nor is "
        "each project's newest snapshot. Named jobs go whatever their age. Where there is no terminal to "
        "ask on it needs --yes.",
        k_clean, Arguments::many, "job", run_clean},
    Command{
        "notebook", "Jobs", "Run Jupyter on the host and open it here", "[JOB]",
        "Starts Jupyter (lab, notebook or server: what .venv of the project there has, else its PATH) as a "
        "job, with a token, on the host's loopback, and makes it a port of this machine; prints the URL when "
        "it answers. It works in the project's own directory on the host, where nothing is copied over what "
        "you edit: the project's files come first only where that is not there yet, or with --rsync. Ctrl-C "
        "ends the server. With JOB, opens one that runs, and Ctrl-C leaves it running.",
        k_notebook, Arguments::one_optional, "live-job", run_notebook},
    Command{
        "ssh",
        "Machines",
        "Open a shell on the host, or run one command there",
        "[COMMAND...]",
        "Your login shell on the host, in the project's directory there (in the home where that is not there "
        "yet, or outside of a project). With COMMAND that runs instead, with a terminal where this side has "
        "one, and its exit code is ours; it is no job, and ends with the connection. One quoted argument is "
        "a command for the remote sh; several arguments arrive as they are. At the beginning of a line, ~. "
        "leaves a connection that hangs.",
        k_ssh,
        Arguments::command,
        {},
        run_ssh},
    Command{
        "forward", "Machines", "Make ports of a host ports of this machine",
        "JOB|INSTANCE [BIND:]LPORT:[HOST:]RPORT...",
        "As ssh -L: whoever connects to LPORT here reaches RPORT of HOST as the host sees it (localhost "
        "unless it is named). A lone RPORT, or LPORT 0, takes a free local port. Only this machine can "
        "connect unless BIND says otherwise (* is everybody). JOB means the host it runs on; with -i every "
        "argument is a port. It goes on until Ctrl-C, and connects again after a break.",
        k_forward, Arguments::many, "job-or-instance", run_forward},
    Command{"probe",
            "Machines",
            "Show what the machines have free",
            "",
            "Asks every configured instance at once (or those of -i). A machine that does not answer within "
            "the deadline is a row like the others.",
            k_probe,
            Arguments::none,
            {},
            run_probe},
    Command{"doctor",
            "Machines",
            "Say what works, what is missing, and how to mend it",
            "",
            "Looks at this machine and, at the same time, at every configured instance (or those of -i). "
            "Each line says ok, warning, failed or not there (it is optional), and what to do. It changes "
            "nothing. Ends with 0 when nothing failed, 1 when something did, 255 when a host could not be "
            "asked.",
            k_doctor,
            Arguments::none,
            {},
            run_doctor},
    Command{
        "master",
        "Machines",
        "Show or end the connection master",
        "[status | stop]",
        "The connection master is a process of yours that keeps connections open, so that the next command "
        "needs no new login. It starts by itself, holds no password, and ends when nothing has used it for "
        "the configured time (persist, 10min; 0 does without it). status ends with 1 where none runs.",
        {},
        Arguments::one_optional,
        "status|stop",
        run_master},
    Command{"man",
            "Help",
            "Show the manual",
            "[TOPIC]",
            "TOPIC is re, re.conf or a command; re if none is named. The pages are in the program, so that a "
            "copied one has them. On a terminal they are shown by man, "
            "mandoc or the pager, whichever is there; elsewhere they are plain text.",
            {},
            Arguments::one_optional,
            "re|re.conf",
            run_man},
};

}  // namespace

std::span<const Command> commands() {
  return k_commands;
}
std::span<const Option> common_options() {
  return k_common;
}

}  // namespace re::cli
