//! The portal's rooms over the real SQLite database, with a clock and a router that the test
//! holds in its hands: what happens as time goes by and while a router is away.

mod crowds;
mod fleet;
mod fleet_hazards;
mod guest_links;
mod guests;
mod hand_router;
mod house;
mod keeper;
mod lamps;
mod late_rules;
mod limits;
mod live;
mod lost_rights;
mod moving;
mod moving_routers;
mod original_routers;
mod reconciler;
mod shared_doors;
mod sign_ins;
mod tiles;
mod tokens;
mod upkeep;
mod uploads;
mod wake;
