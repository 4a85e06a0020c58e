#include "re/engine/clean.hpp"

#include <algorithm>
#include <map>

namespace re::engine {

namespace {

using model::JobState;

bool has_ended(JobState state) {
  return state == JobState::done || state == JobState::lost || state == JobState::rebooted ||
         state == JobState::incomplete;
}

std::chrono::system_clock::time_point end_of(const model::JobStatus& job) {
  return job.ended.value_or(job.id.time());
}

// What the rules but that of the size let go, oldest first.
std::vector<model::JobStatus> candidates(const jobs::Listing& listing, const CleanRules& rules) {
  std::vector<model::JobStatus> ended;
  for (const auto& job : listing.jobs) {
    const bool is_meant = rules.named.empty() ? !rules.project_id || job.project_id == *rules.project_id
                                              : rules.named.contains(job.id);
    if (is_meant && has_ended(job.state)) ended.push_back(job);
  }
  std::stable_sort(ended.begin(), ended.end(),
                   [](const auto& a, const auto& b) { return end_of(a) < end_of(b); });
  if (!rules.named.empty()) return ended;
  std::map<std::string, std::size_t> stay;
  for (auto job = ended.rbegin(); job != ended.rend(); ++job) {
    auto& newest = stay[job->project_id];
    const bool is_kept = newest < rules.keep || age_of(*job, listing.now) < rules.older_than;
    if (is_kept) job->state = JobState::unknown;
    ++newest;
  }
  std::erase_if(ended, [](const auto& job) { return job.state == JobState::unknown; });
  return ended;
}

// What lies on the host, as jobs are taken away one by one.
class Stock {
 public:
  explicit Stock(const jobs::Survey& survey) : m_survey(&survey) {
    for (const auto& [id, job] : survey.jobs) {
      m_size += job.size;
      if (!job.snapshot.empty()) ++m_users[job.snapshot];
    }
    for (const auto& [name, snapshot] : survey.snapshots) m_size += snapshot.size;
    for (const auto& [name, snapshot] : survey.snapshots) drop_if_unused(name);
  }

  void take(const JobId& id) {
    const auto job = m_survey->jobs.find(id);
    if (job == m_survey->jobs.end()) return;
    m_size -= job->second.size;
    const auto user = m_users.find(job->second.snapshot);
    if (user == m_users.end()) return;
    --user->second;
    drop_if_unused(user->first);
  }

  [[nodiscard]] std::uint64_t size() const { return m_size; }
  [[nodiscard]] const std::vector<std::string>& unused() const { return m_unused; }

 private:
  void drop_if_unused(const std::string& name) {
    const auto snapshot = m_survey->snapshots.find(name);
    if (snapshot == m_survey->snapshots.end() || snapshot->second.is_latest) return;
    const auto users = m_users.find(name);
    if (users != m_users.end() && users->second > 0) return;
    m_size -= snapshot->second.size;
    m_unused.push_back(name);
  }

  const jobs::Survey* m_survey;
  std::uint64_t m_size = 0;
  std::map<std::string, std::size_t> m_users;
  std::vector<std::string> m_unused;
};

}  // namespace

std::vector<jobs::Remains> CleanPlan::remains() const {
  std::vector<jobs::Remains> remains;
  remains.reserve(jobs.size() + snapshots.size());
  for (const auto& job : jobs) remains.push_back({job.id, {}});
  for (const auto& name : snapshots) remains.push_back({std::nullopt, name});
  return remains;
}

std::chrono::system_clock::duration age_of(const model::JobStatus& job,
                                           std::chrono::system_clock::time_point now) {
  return std::max(now - end_of(job), std::chrono::system_clock::duration::zero());
}

CleanPlan plan_clean(const jobs::Listing& listing, const jobs::Survey& survey, const CleanRules& rules) {
  CleanPlan plan;
  plan.now = listing.now;
  Stock stock(survey);
  for (auto& job : candidates(listing, rules)) {
    if (rules.named.empty() && rules.max_size && stock.size() <= *rules.max_size) break;
    stock.take(job.id);
    plan.jobs.push_back(std::move(job));
  }
  plan.snapshots = stock.unused();
  return plan;
}

}  // namespace re::engine
