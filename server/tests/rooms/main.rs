//! The portal's rooms over the real SQLite database, with a clock and a router that the test
//! holds in its hands: what happens as time goes by and while a router is away.

mod at_home;
mod cosigner;
mod crowds;
mod fleet;
mod fleet_hazards;
mod fleet_instances;
mod guest_links;
mod guests;
mod hand_cosigner;
mod hand_router;
mod house;
mod keeper;
mod lamps;
mod late_rules;
mod limits;
mod live;
mod lost_rights;
mod manifests;
mod moving;
mod moving_routers;
mod original_routers;
mod pace;
mod project_keys;
mod reconciler;
mod shared_doors;
mod sign_ins;
mod tiles;
mod tokens;
mod upkeep;
mod uploads;
mod wake;
