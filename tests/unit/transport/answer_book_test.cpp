// What the connection master does with a user's answers.
#include <gtest/gtest.h>

#include "transport/master_link.hpp"

namespace re::transport {
namespace {

using master::QuestionKind;

std::optional<ErrorKind> failure_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.kind();
  }
  return std::nullopt;
}

AnswerBook book_with(std::vector<master::Question> answers, std::uint32_t refusals = 0,
                     std::string why_not_ask = {}) {
  master::ConnectRequest request;
  request.answers = std::move(answers);
  request.refusals = refusals;
  request.why_not_ask = std::move(why_not_ask);
  return {request, nullptr};
}

TEST(AnswerBook, gives_answers_in_their_order_and_asks_for_the_next) {
  AnswerBook book =
      book_with({{QuestionKind::secret, "Password: ", "a"}, {QuestionKind::secret, "Code: ", "b"}});
  EXPECT_EQ(book.secret("Password: ").reveal(), "a");
  EXPECT_EQ(book.secret("Code: ").reveal(), "b");
  EXPECT_EQ(failure_of([&] { book.secret("PIN: "); }), ErrorKind::interrupted);
  ASSERT_TRUE(book.open_question());
  EXPECT_EQ(book.open_question()->prompt, "PIN: ");
  EXPECT_EQ(book.open_question()->standing, 2U);
  EXPECT_FALSE(book.open_question()->is_of_changing_prompts);
}

TEST(AnswerBook, passes_by_what_is_not_asked_again) {
  AnswerBook book =
      book_with({{QuestionKind::confirm, "sure?", "yes"}, {QuestionKind::secret, "Password: ", "a"}});
  EXPECT_EQ(book.secret("Password: ").reveal(), "a");
}

TEST(AnswerBook, asks_again_from_the_first_answer_that_was_refused) {
  AnswerBook book = book_with({{QuestionKind::secret, "(u@jump) Password: ", "j"},
                               {QuestionKind::secret, "(u@host) Password: ", "a"},
                               {QuestionKind::secret, "(u@host) Code: ", "wrong"}});
  book.secret("(u@jump) Password: ");
  book.secret("(u@host) Password: ");
  book.secret("(u@host) Code: ");
  book.refused("(u@host) Password: ");
  EXPECT_EQ(failure_of([&] { book.secret("(u@host) Password: "); }), ErrorKind::interrupted);
  EXPECT_EQ(book.open_question()->standing, 1U);
}

TEST(AnswerBook, asks_nothing_more_after_three_refusals) {
  AnswerBook book = book_with({{QuestionKind::secret, "Password: ", "wrong"}}, 2);
  book.secret("Password: ");
  book.refused("Password: ");
  EXPECT_EQ(failure_of([&] { book.secret("Password: "); }), ErrorKind::auth);
  EXPECT_FALSE(book.open_question());
}

TEST(AnswerBook, knows_that_a_challenge_was_for_another_attempt) {
  AnswerBook book = book_with({{QuestionKind::secret, "challenge 17: ", "a"}});
  EXPECT_EQ(failure_of([&] { book.secret("challenge 18: "); }), ErrorKind::interrupted);
  EXPECT_TRUE(book.open_question()->is_of_changing_prompts);
}

TEST(AnswerBook, says_why_nobody_can_be_asked) {
  AnswerBook book = book_with({}, 0, "there is no terminal");
  EXPECT_EQ(failure_of([&] { book.secret("Password: "); }), ErrorKind::auth);
  EXPECT_FALSE(book.confirm("sure?"));
  EXPECT_FALSE(book.open_question());
  EXPECT_EQ(failure_of([&] { book.password(); }),
            ErrorKind::interrupted);  // the client has it without asking
}

}  // namespace
}  // namespace re::transport
