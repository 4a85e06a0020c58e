// One connection that the master holds, and the one attempt to make it.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <optional>

#include "transport/master_protocol.hpp"
#include "transport/master_socket.hpp"

namespace re::transport {

/// Answers questions from those that came with the request, in their order; the first that is not among them
/// ends the attempt and is what the client is asked. After three refused answers, or where the client can ask
/// nobody, there are no more (Error auth).
class AnswerBook final : public Prompter {
 public:
  /// \param request  what it says of answers is taken out
  AnswerBook(master::ConnectRequest& request, std::shared_ptr<MasterSocket> client)
      : m_answers(std::move(request.answers)),
        m_why_not_ask(std::move(request.why_not_ask)),
        m_refusals(request.refusals),
        m_standing(m_answers.size()),
        m_client(std::move(client)) {}
  ~AnswerBook() override { forget(); }
  AnswerBook(const AnswerBook&) = delete;
  AnswerBook& operator=(const AnswerBook&) = delete;

  sys::Secret password() { return sys::Secret(look_up(master::QuestionKind::password, "")); }
  sys::Secret secret(std::string_view prompt) override;
  std::string visible(std::string_view prompt) override;
  bool confirm(std::string_view question) override;
  void banner(std::string_view text) override;
  [[nodiscard]] bool can_ask() const override { return m_why_not_ask.empty(); }
  void refused(std::string_view first_prompt) override;

  [[nodiscard]] const std::optional<master::Question>& open_question() const { return m_open; }
  /// The attempt is over: wipes the answers, and lets go of the client.
  void forget();

 private:
  [[nodiscard]] master::Question make_question(master::QuestionKind kind, std::string_view prompt) const;
  const std::string& look_up(master::QuestionKind kind, std::string_view prompt);

  std::vector<master::Question> m_answers;
  std::string m_why_not_ask;
  std::uint32_t m_refusals;
  std::size_t m_standing;  ///< the answers before this one were not refused
  std::size_t m_next = 0;
  std::optional<master::Question> m_open;
  std::shared_ptr<MasterSocket> m_client;
};

/// Remarks made while connecting, on their way to the client that waits.
class RemarkSender final : public Progress {
 public:
  explicit RemarkSender(std::shared_ptr<MasterSocket> client) : m_client(std::move(client)) {}
  void step(std::string_view) override {}
  void advance(std::uint64_t, std::uint64_t) override {}
  void note(std::string_view text) override;
  void forget() { m_client.reset(); }

 private:
  std::shared_ptr<MasterSocket> m_client;
};

class MasterLink {
 public:
  MasterLink(const boost::asio::any_io_executor& executor, master::ConnectRequest request,
             std::shared_ptr<MasterSocket> client, std::filesystem::path state_directory,
             std::filesystem::path runtime_directory);

  /// What this attempt shares with the others.
  void share(std::shared_ptr<ConnectMemory> memory) { m_context.memory = std::move(memory); }
  /// The attempt. Its failure is told by error() or open_question(); never throws Error.
  Async<void> connect();
  /// Until the attempt is over.
  Async<void> settle();

  [[nodiscard]] bool is_connected() const { return m_connection != nullptr; }
  [[nodiscard]] Connection& connection() { return *m_connection; }
  [[nodiscard]] const std::optional<Error>& error() const { return m_error; }
  [[nodiscard]] const std::optional<master::Question>& open_question() const {
    return m_answers.open_question();
  }

  /// A channel is in use while one of these lives.
  [[nodiscard]] std::shared_ptr<void> use() { return m_users; }
  [[nodiscard]] unsigned channels() const { return static_cast<unsigned>(m_users.use_count()) - 1; }
  /// When something was last heard of the host.
  std::chrono::steady_clock::time_point heard_at;

 private:
  Target m_target;
  AnswerBook m_answers;
  RemarkSender m_remarks;
  ConnectContext m_context;
  std::unique_ptr<Connection> m_connection;
  std::optional<Error> m_error;
  std::shared_ptr<int> m_users = std::make_shared<int>(0);
  boost::asio::steady_timer m_settled;
};

}  // namespace re::transport
