// The functions of the commands, each in the file that bears its name. They return the exit code.
#pragma once

namespace re::cli {

class Context;
class Parsed;

int run_async(Context& context, const Parsed& parsed);
int run_clean(Context& context, const Parsed& parsed);
int run_conf(Context& context, const Parsed& parsed);
int run_data(Context& context, const Parsed& parsed);
int run_doctor(Context& context, const Parsed& parsed);
int run_forward(Context& context, const Parsed& parsed);
int run_init(Context& context, const Parsed& parsed);
int run_install(Context& context, const Parsed& parsed);
int run_kill(Context& context, const Parsed& parsed);
int run_list(Context& context, const Parsed& parsed);
int run_log(Context& context, const Parsed& parsed);
int run_man(Context& context, const Parsed& parsed);
int run_master(Context& context, const Parsed& parsed);
int run_notebook(Context& context, const Parsed& parsed);
int run_probe(Context& context, const Parsed& parsed);
int run_pull(Context& context, const Parsed& parsed);
int run_purge(Context& context, const Parsed& parsed);
int run_push(Context& context, const Parsed& parsed);
int run_rsync(Context& context, const Parsed& parsed);
int run_ssh(Context& context, const Parsed& parsed);
int run_sshadd(Context& context, const Parsed& parsed);
int run_sync(Context& context, const Parsed& parsed);

}  // namespace re::cli
