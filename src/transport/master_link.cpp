#include "transport/master_link.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "re/sys/terminal.hpp"

namespace re::transport {

namespace asio = boost::asio;
using master::QuestionKind;

namespace {

constexpr std::uint32_t k_attempts = 3;  // OpenSSH's NumberOfPasswordPrompts

}  // namespace

void AnswerBook::forget() {
  for (auto& answer : m_answers) sys::wipe(answer.answer.data(), answer.answer.size());
  m_answers.clear();
  m_client.reset();
}

master::Question AnswerBook::make_question(QuestionKind kind, std::string_view prompt) const {
  master::Question question{kind, std::string(prompt), {}};
  question.standing = static_cast<std::uint32_t>(m_standing);
  question.is_of_changing_prompts =
      m_standing == m_answers.size() && std::any_of(m_answers.begin() + static_cast<std::ptrdiff_t>(m_next),
                                                    m_answers.end(), [](const master::Question& answer) {
                                                      return answer.kind == QuestionKind::secret ||
                                                             answer.kind == QuestionKind::visible;
                                                    });
  return question;
}

// What was asked before need not be asked again: a host key that was accepted is known by now.
const std::string& AnswerBook::look_up(QuestionKind kind, std::string_view prompt) {
  const auto found = std::find_if(
      m_answers.begin() + static_cast<std::ptrdiff_t>(m_next), m_answers.end(),
      [&](const master::Question& answer) { return answer.kind == kind && answer.prompt == prompt; });
  if (found != m_answers.end()) {
    m_next = static_cast<std::size_t>(found - m_answers.begin()) + 1;
    return found->answer;
  }
  if (kind != QuestionKind::password) {
    if (!can_ask()) throw sys::cannot_ask(prompt, m_why_not_ask);
    if (m_refusals >= k_attempts)
      throw Error(ErrorKind::auth, std::to_string(m_refusals) + " answers were refused");
  }
  if (!m_open) m_open = make_question(kind, prompt);
  throw Error(ErrorKind::interrupted, "an answer of the user is needed");
}

void AnswerBook::refused(std::string_view first_prompt) {
  ++m_refusals;
  const auto used = m_answers.begin() + static_cast<std::ptrdiff_t>(m_next);
  const auto first = std::find_if(m_answers.begin(), used, [&](const master::Question& answer) {
    return answer.kind != QuestionKind::password && answer.prompt == first_prompt;
  });
  if (first != used) m_standing = std::min(m_standing, static_cast<std::size_t>(first - m_answers.begin()));
}

sys::Secret AnswerBook::secret(std::string_view prompt) {
  return sys::Secret(look_up(QuestionKind::secret, prompt));
}

std::string AnswerBook::visible(std::string_view prompt) {
  return look_up(QuestionKind::visible, prompt);
}

bool AnswerBook::confirm(std::string_view question) {
  return can_ask() && look_up(QuestionKind::confirm, question) == "yes";
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
      m_answers(request, client),
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
