// A fixed arrival rate: 2,000 requests a second, whatever the answers take, from at most 500 virtual users.
// wrk waits for answers before it asks again, so it cannot see what a queue does to latency; this can.
//
//   loadtest/k6/run [URL]        RATE=2000 DURATION=30s

import http from 'k6/http';
import { check } from 'k6';

const url = __ENV.TARGET || 'http://127.0.0.1:8080/';

export const options = {
  scenarios: {
    arrival: {
      executor: 'constant-arrival-rate',
      rate: Number(__ENV.RATE || 2000),
      timeUnit: '1s',
      duration: __ENV.DURATION || '30s',
      preAllocatedVUs: 250,
      maxVUs: 500,
    },
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    checks: ['rate==1'],
    http_req_duration: ['p(95)<50'],
    // Requests that were not sent because all users were waiting: less than one in a hundred.
    dropped_iterations: ['rate<20'],
  },
  summaryTrendStats: ['min', 'med', 'p(95)', 'p(99)', 'max'],
};

export default function () {
  const answer = http.get(url);
  check(answer, {
    'status is 200': (r) => r.status === 200,
    'there is a body': (r) => r.body.length > 0,
  });
}
