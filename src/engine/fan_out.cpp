#include "re/engine/fan_out.hpp"

#include <boost/asio/awaitable.hpp>
#include <utility>

#include "engine/turnstile.hpp"

namespace re::engine {

namespace {

constexpr std::size_t k_submissions_at_once = 32;

}  // namespace

struct FanOut::Parts {
  Fleet& fleet;
  Submitter& submitter;
  ProjectFiles& files;
  std::chrono::milliseconds connect_limit;
  Turnstile turnstile{k_submissions_at_once};
  std::shared_ptr<const LocalState> state = {};
};

FanOut::FanOut(Fleet& fleet, Submitter& submitter, ProjectFiles& files,
               std::chrono::milliseconds connect_limit)
    : m_parts(new Parts{
          .fleet = fleet, .submitter = submitter, .files = files, .connect_limit = connect_limit}) {}

FanOut::~FanOut() = default;

Async<Submitted> FanOut::submit(Place place, std::function<SubmitRequest()> make_request) {
  std::optional<Error> failure;
  try {
    co_await m_parts->fleet.host_within(place, m_parts->connect_limit);
  } catch (const Error& error) {
    failure = error;
  }
  if (failure) throw failure->within("cannot start a job on " + place.label);
  const auto turn = co_await m_parts->turnstile.enter({});
  SubmitRequest request = make_request();
  if (!m_parts->state && request.source == Source::current)
    m_parts->state = std::make_shared<const LocalState>(m_parts->files.read(request.trust));
  request.state = m_parts->state;
  co_return co_await m_parts->submitter.submit(std::move(request), m_parts->files);
}

}  // namespace re::engine
