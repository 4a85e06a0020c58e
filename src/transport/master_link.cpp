#include "transport/master_link.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace re::transport {

namespace asio = boost::asio;
using master::QuestionKind;

void AnswerBook::forget() {
  for (auto& answer : m_answers) sys::wipe(answer.answer.data(), answer.answer.size());
  m_answers.clear();
  m_client.reset();
}

const std::string& AnswerBook::look_up(QuestionKind kind, std::string_view prompt) {
  if (m_next < m_answers.size() && m_answers[m_next].kind == kind && m_answers[m_next].prompt == prompt) {
    return m_answers[m_next++].answer;
  }
  if (!m_open) m_open = master::Question{kind, std::string(prompt), {}};
  throw Error(ErrorKind::interrupted, "an answer of the user is needed");
}

sys::Secret AnswerBook::secret(std::string_view prompt) {
  return sys::Secret(look_up(QuestionKind::secret, prompt));
}

std::string AnswerBook::visible(std::string_view prompt) {
  return look_up(QuestionKind::visible, prompt);
}

bool AnswerBook::confirm(std::string_view question) {
  return look_up(QuestionKind::confirm, question) == "yes";
}

void AnswerBook::banner(std::string_view text) {
  // Once: the attempts with answers say it again.
  if (m_client && m_answers.empty()) m_client->send_ready(master::frame(master::Type::banner, text));
}

void RemarkSender::note(std::string_view text) {
  if (m_client) m_client->send_ready(master::frame(master::Type::note, text));
}

MasterLink::MasterLink(const asio::any_io_executor& executor, master::ConnectRequest request,
                       std::shared_ptr<MasterSocket> client, std::filesystem::path state_directory,
                       std::filesystem::path runtime_directory)
    : m_target(std::move(request.target)),
      m_answers(std::move(request.answers), client),
      m_remarks(std::move(client)),
      m_context{m_answers, m_remarks, std::move(state_directory), std::move(runtime_directory),
                {},        Keep::open},
      m_settled(executor, asio::steady_timer::time_point::max()) {
  if (request.has_password) m_target.password = [this] { return m_answers.password(); };
}

Async<void> MasterLink::connect() {
  try {
    m_connection = co_await transport::connect(m_target, m_context);
    heard_at = std::chrono::steady_clock::now();
  } catch (const Error& error) {
    m_error = error;
  } catch (const std::exception& error) {
    m_error = Error(ErrorKind::io, error.what());
  }
  m_answers.forget();
  m_remarks.forget();
  m_settled.cancel();
}

Async<void> MasterLink::settle() {
  boost::system::error_code ignored;
  if (!is_connected() && !m_error) {
    co_await m_settled.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

}  // namespace re::transport
