#include "re/engine/listing.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <map>

#include "re/jobs/kill.hpp"

namespace re::engine {

namespace {

// A submission by another `re` that still runs may take this long; only then is silence an answer.
constexpr std::chrono::minutes k_submission_time{10};

using jobs::RegistryFilter;

// A job that has been committed for longer than any start takes.
constexpr std::chrono::minutes k_start_time{1};

// How far apart: an id may be of a time that is yet to come, by another clock or by this one before it was
// set back.
std::chrono::milliseconds between(std::chrono::system_clock::time_point a,
                                  std::chrono::system_clock::time_point b) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(a < b ? b - a : a - b);
}

// All jobs of a host. One that was committed and never begun is started: whoever submitted it is gone.
Async<jobs::Listing> list_and_resume(remote::Host& host, std::chrono::system_clock::time_point now,
                                     std::chrono::milliseconds deadline) {
  jobs::JobHost jobs_there(host);
  jobs::ListFilter filter;
  filter.scope = jobs::ListFilter::Scope::all;
  jobs::Listing listing = co_await jobs_there.list(std::move(filter), deadline);
  jobs::ListFilter resumed;
  for (const auto& job : listing.jobs) {
    if (job.state == model::JobState::committed && between(now, job.id.time()) > k_start_time)
      resumed.ids.push_back(job.id);
  }
  if (resumed.ids.empty()) co_return listing;
  for (const auto& id : resumed.ids) {
    try {
      co_await jobs_there.resume(id, deadline);
    } catch (const Error& error) {
      listing.problems.push_back(Error(error).within("cannot start job " + id.text()));
    }
  }
  resumed.scope = jobs::ListFilter::Scope::all;
  jobs::Listing again = co_await jobs_there.list(std::move(resumed), deadline);
  for (auto& job : again.jobs) {
    const auto same = std::find_if(listing.jobs.begin(), listing.jobs.end(),
                                   [&](const auto& listed) { return listed.id == job.id; });
    if (same != listing.jobs.end()) *same = std::move(job);
  }
  co_return listing;
}

// Jobs that were written down and are not on the host: their submission never arrived.
void settle_missing(jobs::Registry& registry, const Place& place, const jobs::Listing& listing,
                    std::chrono::system_clock::time_point now) {
  const RegistryFilter pending{RegistryFilter::Which::pending, std::nullopt, place.key};
  for (const auto& record : registry.list(pending)) {
    const bool is_there = std::any_of(listing.jobs.begin(), listing.jobs.end(),
                                      [&](const auto& status) { return status.id == record.id; });
    const bool may_be_under_way =
        record.state == model::JobState::intent && between(now, record.submitted) < k_submission_time;
    if (!is_there && !may_be_under_way)
      registry.set_state(record.id, {model::JobState::incomplete, {}, {}, {}});
  }
}

// Jobs that ran when they were last seen and whose directories have gone.
std::vector<JobId> vanished_jobs(const jobs::Registry& registry, const Place& place,
                                 const jobs::Listing& listing) {
  std::vector<JobId> vanished;
  const RegistryFilter live{RegistryFilter::Which::live, std::nullopt, place.key};
  for (const auto& record : registry.list(live)) {
    const bool is_there = std::any_of(listing.jobs.begin(), listing.jobs.end(),
                                      [&](const auto& status) { return status.id == record.id; });
    if (!is_there && model::is_live(record.state))
      vanished.push_back(record.id);  // not what was only intended
  }
  return vanished;
}

// What runs on without its directory leaves no exit status.
Async<void> settle_vanished(jobs::Registry& registry, const Place& place, remote::Host& host,
                            const jobs::Listing& listing, std::chrono::milliseconds deadline) {
  auto vanished = vanished_jobs(registry, place, listing);
  if (vanished.empty()) co_return;
  const auto orphans = co_await jobs::find_orphans(host, vanished, deadline);
  for (const auto& id : vanished) {
    const bool runs = std::find(orphans.begin(), orphans.end(), id) != orphans.end();
    const auto state = runs ? model::JobState::unsupervised : model::JobState::lost;
    registry.set_state(id, {state, {}, {}, {}});
  }
}

// What is known so far: the hosts' answers in the registry, the statuses that only they can tell, and what
// failed.
struct Survey {
  std::vector<Place> places;
  std::optional<std::string> project_id;
  std::map<JobId, model::JobStatus> statuses = {};
  std::vector<std::vector<Error>> problems = {};  // by place
  std::size_t settled = 0;

  void take(jobs::Registry& registry, const Place& place, jobs::Listing listing,
            std::chrono::system_clock::time_point now) {
    registry.take_over(listing.jobs, place.key);
    settle_missing(registry, place, listing, now);
    for (auto& status : listing.jobs) statuses.insert_or_assign(status.id, std::move(status));
  }

  [[nodiscard]] JobTable table(const jobs::Registry& registry) const {
    JobTable table;
    std::map<std::string_view, std::string_view> labels;
    for (std::size_t i = 0; i < places.size(); ++i) {
      labels[places[i].key] = places[i].label;
      for (const auto& problem : problems[i]) table.problems.push_back({places[i].label, problem});
    }
    const RegistryFilter all{RegistryFilter::Which::all, project_id, std::nullopt};
    for (auto& record : registry.list(all)) {
      const auto label = labels.find(record.instance);
      if (label == labels.end()) continue;
      const auto status = statuses.find(record.id);
      ListedJob job{std::move(record), std::nullopt, std::string(label->second)};
      if (status != statuses.end()) job.status = status->second;
      table.jobs.push_back(std::move(job));
    }
    return table;
  }
};

}  // namespace

Async<JobTable> list_jobs(Fleet& fleet, jobs::Registry& registry, const Clock& clock, ListRequest request) {
  Survey survey{std::move(request.places), std::move(request.project_id)};
  survey.problems.resize(survey.places.size());
  OnEach each;
  each.deadline = request.deadline;
  each.work = [&](std::size_t i, remote::Host& host) -> Async<void> {
    jobs::Listing listing = co_await list_and_resume(host, clock.now(), request.deadline);
    co_await settle_vanished(registry, survey.places[i], host, listing, request.deadline);
    survey.problems[i] = std::move(listing.problems);
    survey.take(registry, survey.places[i], std::move(listing), clock.now());
  };
  each.settled = [&](std::size_t i, const std::optional<Error>& failure) {
    if (failure) survey.problems[i] = {*failure};
    ++survey.settled;
    if (request.watch) request.watch({[&] { return survey.table(registry); }, survey.settled});
  };
  co_await on_each(fleet, survey.places, std::move(each));
  co_return survey.table(registry);
}

}  // namespace re::engine
