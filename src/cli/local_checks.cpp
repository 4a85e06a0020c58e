#include "cli/local_checks.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/awaitable.hpp>

#include "re/base/strings.hpp"
#include "re/sys/child.hpp"
#include "re/sys/lock.hpp"
#include "re/transport/master.hpp"

namespace re::cli {

namespace {

namespace fs = std::filesystem;
using remote::Finding;
using State = Finding::State;

std::optional<sys::Captured> run_if_there(const std::vector<std::string>& arguments) {
  if (!sys::find_program(arguments.front(), sys::process_environment())) return std::nullopt;
  return sys::run_captured(arguments);
}

std::string first_line(std::string_view text) {
  const auto lines = split_lines(text);
  return lines.empty() ? std::string() : std::string(trim(lines.front()));
}

Finding check_ssh() {
  const auto captured = run_if_there({"ssh", "-V"});
  if (!captured) {
    return {"ssh", State::warning,
            "no client: ~/.ssh/config is not read, and hosts that need it are not reached",
            "apt-get install openssh-client"};
  }
  const std::string said = first_line(captured->error.empty() ? captured->output : captured->error);
  const std::string version = said.substr(0, said.find(','));  // behind it stands OpenSSL's
  if (captured->status.succeeded()) return {"ssh", State::ok, version, ""};
  return {"ssh", State::warning, "does not run: " + version, "run it by hand: ssh -V"};
}

Finding check_git() {
  const auto captured = run_if_there({"git", "--version"});
  if (!captured) return {"git", State::absent, "", "apt-get install git"};
  if (captured->status.succeeded()) return {"git", State::ok, first_line(captured->output), ""};
  return {"git", State::warning, "does not run: " + first_line(captured->error),
          "run it by hand: git --version"};
}

Finding check_configuration(Context& context) {
  try {
    const auto& settings = context.settings();
    if (!settings.user_file) return {"configuration", State::ok, "none: the instance local serves", ""};
    const auto count = settings.instances.size();
    return {"configuration", State::ok,
            settings.user_file->string() + ", " + std::to_string(count) +
                (count == 1 ? " instance" : " instances"),
            ""};
  } catch (const Error& error) {
    return {"configuration", State::failed, error.message(), error.hint()};
  }
}

// As sys::ensure_private_directory() would find it, but without making it.
Finding check_directory(const std::string& check, const fs::path& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0)
    return {check, State::ok, path.string() + ", made when needed", ""};
  constexpr unsigned k_of_others = 077;
  constexpr unsigned k_writable = 022;
  if (!S_ISDIR(status.st_mode))
    return {check, State::failed, path.string() + " is no directory", "move it away"};
  if (status.st_uid != ::geteuid())
    return {check, State::failed, path.string() + " belongs to another user", "move it away"};
  if (::access(path.c_str(), W_OK | X_OK) != 0)
    return {check, State::failed, path.string() + " is not writable", "chmod 700 " + path.string()};
  if ((status.st_mode & k_of_others) == 0) return {check, State::ok, path.string(), ""};
  const bool is_writable = (status.st_mode & k_writable) != 0;
  return {check, is_writable ? State::failed : State::warning,
          path.string() + (is_writable ? " can be written by others" : " can be read by others"),
          "chmod 700 " + path.string()};
}

Finding check_registry(const fs::path& file) try {
  const auto fault = jobs::Registry::fault_of(file);
  if (!fault) return {"registry", State::ok, "none yet", ""};
  if (fault->empty()) return {"registry", State::ok, file.string() + " is sound", ""};
  return {"registry", State::failed, *fault,
          "re list: moves a damaged one aside and rebuilds it from the hosts"};
} catch (const Error&) {
  return {"registry", State::ok, "another re is writing to it", ""};
}

bool is_lock_held(const fs::path& file) {
  try {
    return fs::exists(file) && !sys::FileLock::attempt(file);
  } catch (const std::exception&) {
    return false;
  }
}

Async<Finding> check_master(const fs::path& runtime) {
  const auto status = co_await transport::ask_master(runtime);
  Finding finding{"master", State::ok, "none runs; it starts by itself", ""};
  if (status) {
    const auto count = status->connections.size();
    finding.detail = "pid " + std::to_string(status->pid) + ", " + std::to_string(count) +
                     (count == 1 ? " connection" : " connections");
  } else if (is_lock_held(runtime / "master.lock")) {
    finding = {"master", State::warning, "runs and does not answer: each command logs in by itself",
               "end the process `re __master` of yours"};
  }
  co_return finding;
}

Finding check_agent() {
  if (!sys::process_environment()("SSH_AUTH_SOCK"))
    return {"ssh agent", State::absent, "", "eval \"$(ssh-agent)\" && ssh-add, for keys with a passphrase"};
  const auto captured = run_if_there({"ssh-add", "-l"});
  if (!captured)
    return {"ssh agent", State::warning, "no ssh-add to ask it", "apt-get install openssh-client"};
  // ssh-add(1): 1 is an agent without keys, 2 is no agent.
  if (captured->status.code == 1) return {"ssh agent", State::ok, "has no keys", ""};
  if (!captured->status.succeeded()) {
    return {"ssh agent", State::warning, "SSH_AUTH_SOCK is set and no agent answers there",
            "start it again, or unset SSH_AUTH_SOCK"};
  }
  const auto count = split_lines(captured->output).size();
  return {"ssh agent", State::ok, std::to_string(count) + (count == 1 ? " key" : " keys"), ""};
}

}  // namespace

Async<std::vector<Finding>> check_this_machine(Context& context) {
  const auto& paths = context.paths();
  std::vector<Finding> findings;
  findings.push_back(check_ssh());
  findings.push_back(remote::examine_local_rsync());
  findings.push_back(check_git());
  findings.push_back(check_configuration(context));
  findings.push_back(check_directory("state", paths.state));
  findings.push_back(check_directory("runtime", paths.runtime));
  findings.push_back(check_registry(paths.state / "registry.db"));
  auto master = co_await check_master(paths.runtime);
  findings.push_back(std::move(master));
  findings.push_back(check_agent());
  co_return findings;
}

}  // namespace re::cli
