// Processes of one connection that are started before they are asked for: the next call needs one round trip.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <optional>

#include "transport/master_exchange.hpp"

namespace re::transport {

class ReadyProcesses : public std::enable_shared_from_this<ReadyProcesses> {
 public:
  ReadyProcesses(const boost::asio::any_io_executor& executor, std::shared_ptr<MasterLink> link)
      : m_executor(executor),
        m_link(std::move(link)),
        m_changed(executor, std::chrono::steady_clock::time_point::max()) {}

  /// A process started for such a request, whatever its preamble was, also one that is just being started;
  /// nothing where there is none. The exchange knows whether it was this one.
  Async<std::shared_ptr<Exchange>> take(ExecRequest request);
  /// To be told of every request, when its process is there: where they come closely after each other, starts
  /// as many as the next ones will want, for requests like this one. Throws Error as Connection::exec
  /// does.
  /// \param served  the process that such a request has got: it comes first
  /// \param doubt  the host may be gone, and those that are ready with it: at least one is started anew
  enum class Doubt { no, yes };
  Async<void> prepare(ExecRequest request, std::shared_ptr<const Exchange> served, Doubt doubt);
  /// Ends one, so that the host has a session more to give. False when there is none.
  Async<bool> give_up_one();
  /// Ends those that nobody has wanted for a while, or all.
  enum class Which { stale, all };
  Async<void> end(Which which);

 private:
  [[nodiscard]] bool is_kind_of(const ExecRequest& request) const;
  [[nodiscard]] std::size_t wanted();
  Async<void> start_one(ExecRequest request, std::shared_ptr<const Exchange> served);
  Async<void> rest(std::shared_ptr<const Exchange> served);
  struct Ready {
    std::shared_ptr<Exchange> exchange;
    std::string preamble;
    std::chrono::steady_clock::time_point since;
  };

  boost::asio::any_io_executor m_executor;
  std::shared_ptr<MasterLink> m_link;
  std::deque<Ready> m_ready;  ///< the oldest first
  ExecRequest m_request;      ///< what they were started for, without a preamble
  unsigned m_starting = 0;
  std::chrono::steady_clock::time_point m_asked_at;
  bool m_has_ended = false;
  unsigned m_takers = 0;                ///< who waits for one
  boost::asio::steady_timer m_changed;  ///< never expires; cancelled to tell them
};

}  // namespace re::transport
