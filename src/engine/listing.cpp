#include "re/engine/listing.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <map>

namespace re::engine {

namespace {

// A submission by another `re` that still runs may take this long; only then is silence an answer.
constexpr std::chrono::minutes k_submission_time{10};

using jobs::RegistryFilter;

// A job that has been committed for longer than any start takes.
constexpr std::chrono::minutes k_start_time{1};

// All jobs of a host. One that was committed and never begun is started: whoever submitted it is gone.
Async<jobs::Listing> list_and_resume(remote::Host& host, std::chrono::system_clock::time_point now,
                                     std::chrono::milliseconds deadline) {
  jobs::JobHost jobs_there(host);
  jobs::ListFilter filter;
  filter.scope = jobs::ListFilter::Scope::all;
  jobs::Listing listing = co_await jobs_there.list(std::move(filter), deadline);
  jobs::ListFilter resumed;
  for (const auto& job : listing.jobs) {
    if (job.state == model::JobState::committed && now - job.id.time() > k_start_time)
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
        record.state == model::JobState::intent && now - record.submitted < k_submission_time;
    if (!is_there && !may_be_under_way)
      registry.set_state(record.id, {model::JobState::incomplete, {}, {}, {}});
  }
}

// A job that ran when it was last seen and whose directory has gone.
void settle_vanished(jobs::Registry& registry, const Place& place, const jobs::Listing& listing) {
  const RegistryFilter live{RegistryFilter::Which::live, std::nullopt, place.key};
  for (const auto& record : registry.list(live)) {
    const bool is_there = std::any_of(listing.jobs.begin(), listing.jobs.end(),
                                      [&](const auto& status) { return status.id == record.id; });
    const bool ran = model::is_live(record.state);  // not what was only intended
    if (!is_there && ran) registry.set_state(record.id, {model::JobState::lost, {}, {}, {}});
  }
}

}  // namespace

Async<JobTable> list_jobs(Fleet& fleet, jobs::Registry& registry, const Clock& clock, ListRequest request) {
  std::vector<jobs::Listing> listings(request.places.size());
  std::function<Async<void>(std::size_t, remote::Host&)> ask = [&](std::size_t i,
                                                                   remote::Host& host) -> Async<void> {
    listings[i] = co_await list_and_resume(host, clock.now(), request.deadline);
  };
  const auto errors = co_await on_each(fleet, request.places, request.deadline, std::move(ask));
  JobTable table;
  std::map<JobId, model::JobStatus> statuses;
  std::map<std::string, std::string> labels;
  for (std::size_t i = 0; i < request.places.size(); ++i) {
    const auto& place = request.places[i];
    labels[place.key] = place.label;
    if (errors[i]) {
      table.problems.push_back({place.label, *errors[i]});
      continue;
    }
    for (const auto& problem : listings[i].problems) table.problems.push_back({place.label, problem});
    registry.take_over(listings[i].jobs, place.key);
    settle_missing(registry, place, listings[i], clock.now());
    settle_vanished(registry, place, listings[i]);
    for (auto& status : listings[i].jobs) statuses.insert_or_assign(status.id, status);
  }
  const RegistryFilter all{RegistryFilter::Which::all, request.project_id, std::nullopt};
  for (auto& record : registry.list(all)) {
    const auto label = labels.find(record.instance);
    if (label == labels.end()) continue;
    const auto status = statuses.find(record.id);
    ListedJob job{std::move(record), std::nullopt, label->second};
    if (status != statuses.end()) job.status = std::move(status->second);
    table.jobs.push_back(std::move(job));
  }
  co_return table;
}

}  // namespace re::engine
