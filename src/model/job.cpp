#include "re/model/job.hpp"

#include <algorithm>
#include <array>

namespace re::model {

namespace {

constexpr std::array<std::string_view, 10> k_state_names = {
    "intent",    "unknown", "committed", "running",  "unsupervised",
    "leftovers", "done",    "lost",      "rebooted", "incomplete"};

}  // namespace

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
