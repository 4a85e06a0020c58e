#include "re/engine/crowd.hpp"

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <string>

#include "engine/turnstile.hpp"

namespace {

namespace asio = boost::asio;
using namespace re;
using namespace re::engine;

Async<void> never() {
  asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await timer.async_wait(asio::use_awaitable);
}

Async<void> soon() {
  co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

class CrowdTest : public testing::Test {
 protected:
  /// Runs what can run; a coroutine may be one that runs again and again.
  void settle() {
    m_io.restart();
    for (int i = 0; i < 100; ++i) m_io.poll_one();
  }
  void start(Crowd& crowd, Crowd::Work work, Crowd::Settled settled = {}) {
    asio::co_spawn(m_io, crowd.run(std::move(work), std::move(settled)),
                   asio::bind_cancellation_slot(m_stop.slot(),
                                                [this](const std::exception_ptr& thrown, Failures result) {
                                                  m_has_ended = true;
                                                  m_has_thrown = thrown != nullptr;
                                                  m_failures = std::move(result);
                                                }));
    settle();
  }

  asio::io_context m_io;
  asio::cancellation_signal m_stop;
  Failures m_failures;
  bool m_has_ended = false;
  bool m_has_thrown = false;
};

TEST_F(CrowdTest, one_failure_stands_beside_the_others_results) {
  Crowd crowd(3);
  std::vector<std::size_t> order;
  start(
      crowd,
      [](std::size_t i) -> Async<void> {
        if (i != 0) co_await soon();
        if (i == 1) throw Error(ErrorKind::remote, "no room");
        if (i == 0) co_return;
        co_await soon();
      },
      [&](std::size_t i, const std::optional<Error>&) { order.push_back(i); });
  ASSERT_TRUE(m_has_ended);
  ASSERT_EQ(m_failures.size(), 3U);
  EXPECT_FALSE(m_failures[0] || m_failures[2]);
  EXPECT_EQ(m_failures[1]->message(), "no room");
  EXPECT_EQ(order, (std::vector<std::size_t>{0, 1, 2}));
}

TEST_F(CrowdTest, nobody_is_a_crowd_too) {
  Crowd crowd(0);
  start(crowd, [](std::size_t) { return never(); });
  EXPECT_TRUE(m_has_ended);
}

TEST_F(CrowdTest, one_can_be_cancelled_alone) {
  Crowd crowd(2);
  bool may_end = false;
  start(crowd, [&](std::size_t i) -> Async<void> {
    if (i == 0) co_await never();
    while (!may_end) co_await soon();
  });
  crowd.cancel(0);
  may_end = true;
  settle();
  ASSERT_TRUE(m_has_ended);
  EXPECT_EQ(m_failures[0]->kind(), ErrorKind::interrupted);
  EXPECT_FALSE(m_failures[1]);
  crowd.cancel(0);  // has ended: nothing happens
}

TEST_F(CrowdTest, cancelling_the_caller_cancels_all_and_waits_for_them) {
  Crowd crowd(2);
  std::vector<bool> has_cleaned_up(2);
  start(crowd, [&](std::size_t i) -> Async<void> {
    std::exception_ptr failure;
    try {
      co_await never();
    } catch (...) {
      failure = std::current_exception();
    }
    has_cleaned_up[i] = true;
    std::rethrow_exception(failure);
  });
  EXPECT_FALSE(m_has_ended);
  m_stop.emit(asio::cancellation_type::all);
  settle();
  EXPECT_TRUE(m_has_ended);
  EXPECT_TRUE(m_has_thrown);
  EXPECT_EQ(has_cleaned_up, (std::vector{true, true}));
}

class TurnstileTest : public testing::Test {
 protected:
  Async<void> go_through(std::string kind) {
    const auto turn = co_await m_turnstile.enter(kind);
    ++m_inside;
    m_most = std::max(m_most, m_inside);
    m_order += kind;
    while (!m_may_leave) co_await soon();
    --m_inside;
  }
  void settle(int rounds = 100) {
    m_io.restart();
    for (int i = 0; i < rounds; ++i) m_io.poll_one();
  }
  void send(std::string kind) { asio::co_spawn(m_io, go_through(std::move(kind)), asio::detached); }

  asio::io_context m_io;
  Turnstile m_turnstile{2};
  bool m_may_leave = false;
  int m_inside = 0;
  int m_most = 0;
  std::string m_order;
};

TEST_F(TurnstileTest, no_more_than_its_width_are_within_and_all_come_through_in_their_order) {
  for (const char* kind : {"a", "b", "c", "d", "e"}) send(kind);
  settle();
  EXPECT_EQ(m_order, "ab");
  m_may_leave = true;
  m_io.poll();
  EXPECT_EQ(m_order, "abcde");
  EXPECT_EQ(m_most, 2);
}

TEST_F(TurnstileTest, no_two_of_a_kind_are_within_and_the_next_of_another_kind_goes_first) {
  for (const char* kind : {"a", "a", "a", "b"}) send(kind);
  settle();
  EXPECT_EQ(m_order, "ab");
  m_may_leave = true;
  m_io.poll();
  EXPECT_EQ(m_order, "abaa");
}

TEST_F(TurnstileTest, the_nameless_are_alike_to_none) {
  for (int i = 0; i < 3; ++i) send("");
  settle();
  EXPECT_EQ(m_inside, 2);
  m_may_leave = true;
  m_io.poll();
}

TEST_F(TurnstileTest, who_is_cancelled_while_waiting_takes_no_place) {
  send("a");
  send("b");
  asio::cancellation_signal stop;
  bool has_thrown = false;
  asio::co_spawn(m_io, go_through("c"),
                 asio::bind_cancellation_slot(
                     stop.slot(), [&](const std::exception_ptr& thrown) { has_thrown = thrown != nullptr; }));
  send("d");
  settle();
  stop.emit(asio::cancellation_type::all);
  settle();
  EXPECT_TRUE(has_thrown);
  m_may_leave = true;
  m_io.poll();
  EXPECT_EQ(m_order, "abd");
}

}  // namespace
