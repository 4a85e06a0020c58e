#include "re/engine/listing.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <map>

namespace re::engine {

namespace {

// A submission by another `re` that still runs may take this long; only then is silence an answer.
constexpr std::chrono::minutes k_submission_time{10};

using jobs::RegistryFilter;

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
    jobs::JobHost jobs_there(host);
    jobs::ListFilter filter;
    filter.scope = jobs::ListFilter::Scope::all;
    listings[i] = co_await jobs_there.list(std::move(filter), request.deadline);
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
