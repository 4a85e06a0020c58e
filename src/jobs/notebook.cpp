#include "re/jobs/notebook.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "jobs/calls.hpp"
#include "jobs/script_text.hpp"
#include "jobs/scripts.hpp"
#include "re/base/strings.hpp"

namespace re::jobs {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds k_answer_time{20'000};  // for the way there and back, beside what is waited for
constexpr milliseconds k_turn{5'000};          // a wait on the host, so that a lost one does not last

OwnedCall notebook_call(std::string function, std::vector<std::string> arguments) {
  const std::array<std::string_view, 3> files = {scripts::basics, scripts::common, scripts::notebook};
  return {script_text(files), std::move(function), std::move(arguments)};
}

bool is_harmless(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char letter) { return letter > ' ' && letter < '\x7f'; });
}

template <class Value>
Value value_of(const nlohmann::json& json, const char* key, const Value& otherwise) {
  const auto found = json.find(key);
  const auto* const value = found == json.end() ? nullptr : found->get_ptr<const Value*>();
  return value == nullptr ? otherwise : *value;
}

Error ended(std::string_view code, const JobId& id) {
  const std::string how = code == "-" ? "without an exit code" : "with exit code " + std::string(code);
  return {ErrorKind::remote, "the notebook server ended " + how, "see re log " + id.text()};
}

}  // namespace

Async<Jupyter> find_jupyter(remote::Host& host, std::string directory, milliseconds deadline) {
  const OwnedCall owned = notebook_call("re_find_jupyter", {std::move(directory)});
  remote::ScriptCall call = owned.call();
  const remote::Answer answer = co_await host.run(std::move(call), deadline);
  Jupyter found;
  for (const auto line : split_lines(answer.output)) {
    const auto blank = std::min(line.find(' '), line.size());
    const auto key = line.substr(0, blank);
    const std::string value(line.substr(std::min(blank + 1, line.size())));
    if (key == "home") found.home = value;
    if (key == "uid") found.is_root = value == "0";
    if (key == "project") found.has_project = true;
    if (key == "program" || key == "argument") found.program.push_back(value);
  }
  co_return found;
}

Result<JupyterServer> parse_jupyter_server(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, false);
  Error failure(ErrorKind::protocol, "what the notebook server says of itself cannot be understood");
  if (!json.is_object()) return failure;
  JupyterServer server;
  const auto port = value_of<std::uint64_t>(json, "port", 0);
  server.token = value_of<std::string>(json, "token", {});
  server.base_url = value_of<std::string>(json, "base_url", "/");
  server.is_secure = value_of<bool>(json, "secure", false);
  const bool has_url = server.base_url.starts_with('/') && server.base_url.ends_with('/');
  if (port < 1 || port > 65'535 || !has_url || !is_harmless(server.base_url) || !is_harmless(server.token))
    return failure;
  server.port = static_cast<unsigned short>(port);
  return server;
}

Async<JupyterServer> wait_for_jupyter(remote::Host& host, JobId id, milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    const OwnedCall owned =
        notebook_call("re_wait_jupyter", {id.text(), std::to_string(k_turn.count() / 10)});
    remote::ScriptCall call = owned.call();
    const remote::Answer answer = co_await host.run(std::move(call), k_turn + k_answer_time);
    const std::string_view trailer = answer.outcome.trailer;
    if (trailer == "NOJOB")
      throw Error(ErrorKind::not_found, "there is no job " + id.text() + " on the host");
    if (trailer == "NONOTEBOOK") throw Error(ErrorKind::usage, "this job is no notebook");
    if (trailer.starts_with("ENDED ")) throw ended(trailer.substr(6), id);
    const bool is_late = std::chrono::steady_clock::now() >= end;
    auto server = parse_jupyter_server(answer.output);
    if (trailer == "READY" && (server || is_late)) co_return std::move(server).value();
    if (is_late)
      throw Error(ErrorKind::timeout, "the notebook server does not say where it listens",
                  "see re log " + id.text());
  }
}

}  // namespace re::jobs
