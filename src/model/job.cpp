#include "re/model/job.hpp"

#include <algorithm>
#include <array>

#include "re/base/shell.hpp"

namespace re::model {

namespace {

constexpr std::array<std::string_view, 10> k_state_names = {
    "intent",    "unknown", "committed", "running",  "unsupervised",
    "leftovers", "done",    "lost",      "rebooted", "incomplete"};

constexpr std::string_view k_own_script = "eval \"$RE_";
constexpr std::string_view k_comment = " # ";

}  // namespace

// The words are a comment of the command: a host's listing knows them, too.
void set_own_script(JobSpec& spec, const std::string& variable, std::string script,
                    std::span<const std::string> words) {
  std::string shown = shell_join(words);
  std::replace(shown.begin(), shown.end(), '\n', ' ');  // which would end the comment
  spec.command = std::string(k_own_script) + variable + '"' + std::string(k_comment) + shown;
  spec.environment.emplace_back("RE_" + variable, std::move(script));
  spec.work_tree = WorkTree::live;
}

std::string shown_command(const std::string& command) {
  const auto comment = command.starts_with(k_own_script) ? command.find(k_comment) : std::string::npos;
  return comment == std::string::npos ? command : command.substr(comment + k_comment.size());
}

std::string_view to_string(JobState state) {
  return k_state_names.at(static_cast<std::size_t>(state));
}

std::optional<JobState> parse_job_state(std::string_view text) {
  const auto* const found = std::find(k_state_names.begin(), k_state_names.end(), text);
  if (found == k_state_names.end()) return std::nullopt;
  return static_cast<JobState>(found - k_state_names.begin());
}

bool is_live(JobState state) {
  return state == JobState::committed || state == JobState::running || state == JobState::unsupervised ||
         state == JobState::leftovers;
}

bool is_final(JobState state) {
  return state == JobState::done || state == JobState::lost || state == JobState::rebooted ||
         state == JobState::incomplete;
}

}  // namespace re::model
